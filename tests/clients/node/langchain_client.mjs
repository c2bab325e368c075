// LangChain for JavaScript.

import { ChatOpenAI } from "@langchain/openai";
import { readFileSync } from "node:fs";
import {
  KEY, GUARD_MS, MODEL, PROBLEM, TOO_LONG, afterRetry, check, collected, equal, raised, report, untilNothingRuns, url,
} from "./cases.mjs";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

function chat({ server = "real", apiKey = KEY, ...options } = {}) {
  const configuration = { baseURL: url(server) };
  return new ChatOpenAI({ model: MODEL, apiKey, configuration, maxRetries: 0, timeout: GUARD_MS, modelKwargs: { seed: 1 }, ...options });
}

async function basic() {
  const reply = await chat().invoke([["system", "Solve it."], ["human", PROBLEM]]);
  equal(reply.response_metadata.finish_reason, "stop");
  check((await chat().invoke(PROBLEM)).text.includes("\\boxed{28}"));
}

async function stream() {
  const chunks = await collected(await chat().stream(PROBLEM));
  equal(chunks.map((chunk) => chunk.text).join(""), (await chat().invoke(PROBLEM)).text);
}

// The counts that a seed determines: those of the prompt and of the answer. Steps that ran ahead in vain depend on timing.
const determined = (usage) => [usage.input_tokens, usage.output_tokens - usage.output_token_details.reasoning];

async function usage() {
  const { usage_metadata: whole } = await chat().invoke(PROBLEM);
  equal(whole.total_tokens, whole.input_tokens + whole.output_tokens);
  check(0 < whole.output_token_details.reasoning && whole.output_token_details.reasoning < whole.output_tokens, whole);
  const chunks = (await collected(await chat().stream(PROBLEM))).filter((chunk) => chunk.usage_metadata);
  equal(chunks.map((chunk) => determined(chunk.usage_metadata)), [determined(whole)]);
}

async function refused(model, code, prompt = PROBLEM) {
  const error = await raised(() => model.invoke(prompt));
  equal((error.cause ?? error).code, code);
}

async function overload() {
  await refused(chat({ server: "overloaded" }), "overloaded");
  await chat({ server: "overloaded" }).invoke(PROBLEM);
}

async function fault() {
  equal((await raised(async () => collected(await chat({ server: "faulty" }).stream(PROBLEM)))).code, "generator_error");
}

async function disconnect() {
  for await (const _ of await chat({ server: "endless" }).stream(PROBLEM)) break;
  await untilNothingRuns();
}

async function responses() {
  const reply = await chat({ useResponsesApi: true, modelKwargs: {} }).invoke(PROBLEM);
  check(reply.text.includes("\\boxed{28}"), reply.text);
}

async function responsesStream() {
  const chunks = await collected(await chat({ useResponsesApi: true, modelKwargs: {} }).stream(PROBLEM));
  check(chunks.map((chunk) => chunk.text).join("").includes("\\boxed{28}"), chunks);
}

const SCHEMA = { type: "object", title: "answer", properties: { answer: { type: "number" } } };

await report(`@langchain/openai ${dependencies["@langchain/openai"]}`, {
  "basic": basic,
  "stream": stream,
  "usage": usage,
  "stop": async () => equal((await chat().invoke(PROBLEM, { stop: ["\n\n"] })).text, "45 - 17 = 28."),
  "one token": async () => equal((await chat({ maxTokens: 1 }).invoke(PROBLEM)).response_metadata.finish_reason, "length"),
  "bad model": () => refused(chat({ model: "gpt-4o" }), "model_not_found"),
  "bad key": () => refused(chat({ apiKey: "wrong" }), "invalid_api_key"),
  "too long": () => refused(chat(), "context_length_exceeded", TOO_LONG),
  "overload": overload,
  "mid-stream fault": fault,
  "disconnect": disconnect,
  "tools": () => refused(chat().bindTools([{ type: "function", function: { name: "add", parameters: SCHEMA } }]), "invalid_value"),
  "JSON format": () => refused(chat().withStructuredOutput(SCHEMA, { method: "jsonSchema" }), "invalid_value"),
  "responses": responses,
  "responses stream": responsesStream,
}, "it is not tried with this client");
