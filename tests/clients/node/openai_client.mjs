// The official client for JavaScript: chats, their streams, responses, and Azure's variant of it.

import OpenAI, { AzureOpenAI } from "openai";
import { VERSION } from "openai/version";
import {
  KEY, GUARD_MS, MODEL, PROBLEM, TOO_LONG, address, afterRetry, check, collected, equal, messages, raised, report, until,
  untilNothingRuns, url,
} from "./cases.mjs";

const client = (server = "real", { apiKey = KEY, maxRetries = 0 } = {}) =>
  new OpenAI({ baseURL: url(server), apiKey, maxRetries, timeout: GUARD_MS });

const complete = (fields, server, options) =>
  client(server, options).chat.completions.create({ model: MODEL, messages: messages(), ...fields });

const stream = async (fields, server) => collected(await complete({ stream: true, ...fields }, server));

const text = (chunks, index = 0) =>
  chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index).map((choice) => choice.delta.content ?? "").join("");

const respond = (fields, server) => client(server).responses.create({ model: MODEL, input: PROBLEM, ...fields });

async function models() {
  const names = (await collected(client().models.list())).map((model) => model.id);
  check(["stories-generator", "epf", "epf-16"].every((name) => names.includes(name)), names);
}

async function basic() {
  const answer = await complete({ seed: 1, search: { lookahead: "reuse" } });
  const [choice] = answer.choices;
  check(choice.message.content.includes("\\boxed{28}"), choice);
  equal([choice.message.role, choice.finish_reason, answer.model], ["assistant", "stop", MODEL]);
  equal(choice.search.answer, "28");
  check(answer._request_id);
  const azure = new AzureOpenAI({ endpoint: address("real"), apiKey: KEY, apiVersion: "2024-10-21", maxRetries: 0 });
  const same = await azure.chat.completions.create({ model: MODEL, messages: messages(), seed: 1 });
  check(same.choices[0].message.content.includes("\\boxed{28}"), same);
}

async function streams() {
  const chunks = await stream({ seed: 1 });
  equal(chunks[0].choices[0].delta.role, "assistant");
  equal(text(chunks), (await complete({ seed: 1 })).choices[0].message.content);
  const helper = client().chat.completions.stream({ model: MODEL, messages: messages(), seed: 1 });
  equal(await helper.finalContent(), text(chunks));
}

// The counts that a seed determines: those of the prompt and of the answer. Steps that ran ahead in vain depend on timing.
const determined = (usage) => [usage.prompt_tokens, usage.completion_tokens - usage.completion_tokens_details.reasoning_tokens];

async function usage() {
  const whole = (await complete({ seed: 1 })).usage;
  equal(whole.total_tokens, whole.prompt_tokens + whole.completion_tokens);
  const { reasoning_tokens: reasoning } = whole.completion_tokens_details;
  check(0 < reasoning && reasoning < whole.completion_tokens, whole);
  const chunks = await stream({ seed: 1, stream_options: { include_usage: true } });
  equal(chunks.at(-1).choices, []);
  equal(determined(chunks.at(-1).usage), determined(whole));
}

async function three() {
  const answer = await complete({ n: 3, seed: 2 });
  equal(answer.choices.map((choice) => choice.index), [0, 1, 2]);
  const chunks = await stream({ n: 3, seed: 2 });
  equal([0, 1, 2].map((index) => text(chunks, index)), answer.choices.map((choice) => choice.message.content));
}

async function stop() {
  const [choice] = (await complete({ stop: ["\n\n"], seed: 1 })).choices;
  equal([choice.finish_reason, choice.message.content], ["stop", "45 - 17 = 28."]);
}

async function seedTwice() {
  const ask = async () => (await complete({ seed: 9, temperature: 1.5, model: "stories-generator" })).choices[0].message.content;
  equal(await ask(), await ask());
}

async function oneToken() {
  const answer = await complete({ max_completion_tokens: 1, seed: 1 });
  equal(answer.choices[0].finish_reason, "length");
}

async function logprobs() {
  const [choice] = (await complete({ logprobs: true, seed: 1 })).choices;
  equal(choice.logprobs.content.map((token) => token.token).join(""), choice.message.content);
}

async function refused(action, kind, code, param) {
  const error = await raised(action);
  check(error instanceof kind, error.name);
  equal([error.code, error.param], [code, param]);
}

async function tools() {
  const tool = { type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } };
  await refused(() => complete({ tools: [tool] }), OpenAI.BadRequestError, "invalid_value", "tools");
}

async function jsonFormat() {
  const schema = { type: "json_schema", json_schema: { name: "answer", schema: { type: "object" } } };
  await refused(() => complete({ response_format: schema }), OpenAI.BadRequestError, "invalid_value", "response_format");
}

async function overload() {
  const error = await raised(() => complete({}, "overloaded"));
  equal([error.status, error.code], [503, "overloaded"]);
  await complete({}, "overloaded");
  await afterRetry(() => complete({}, "overloaded", { maxRetries: 1 }));
}

async function fault() {
  const error = await raised(() => stream({}, "faulty"));
  check(error instanceof OpenAI.APIError, error.name);
  equal(error.code, "generator_error");
}

async function disconnect() {
  const chunks = await complete({ stream: true }, "endless");
  for await (const chunk of chunks) {
    equal(chunk.choices[0].delta.role, "assistant");
    break;
  }
  await untilNothingRuns();
}

async function responses() {
  const answer = await respond({ instructions: "Solve it." });
  equal([answer.status, answer.object], ["completed", "response"]);
  check(answer.output_text.includes("\\boxed{28}"), answer.output_text);
  equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
  const kept = await client().responses.retrieve(answer.id);
  equal(kept.output, answer.output);
}

async function responsesStream() {
  const events = await collected(await respond({ stream: true }));
  equal(events.map((event) => event.sequence_number), events.map((_, index) => index));
  equal([events[0].type, events.at(-1).type], ["response.created", "response.completed"]);
  const deltas = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
  check(deltas.join("").includes("\\boxed{28}"), deltas);
  const helper = client().responses.stream({ model: MODEL, input: PROBLEM });
  check((await helper.finalResponse()).output_text.includes("\\boxed{28}"));
}

async function background() {
  const queued = await respond({ background: true });
  check(["queued", "in_progress"].includes(queued.status), queued.status);
  const { responses } = client();
  const done = await until(() => responses.retrieve(queued.id), (found) => !["queued", "in_progress"].includes(found.status));
  equal(done.status, "completed");
  check(done.output_text.includes("\\boxed{28}"), done.output_text);
}

async function resume() {
  const seen = [];
  for await (const event of await respond({ background: true, stream: true })) {
    seen.push(event);
    if (seen.length === 2) break;
  }
  const { id } = seen[0].response;
  const rest = await collected(await client().responses.retrieve(id, { stream: true, starting_after: seen.at(-1).sequence_number }));
  equal(rest[0].sequence_number, seen.at(-1).sequence_number + 1);
  equal(rest.at(-1).type, "response.completed");
}

async function cancel() {
  const { id } = await respond({ background: true }, "endless");
  equal((await client("endless").responses.cancel(id)).status, "cancelled");
  await untilNothingRuns();
}

async function completions() {
  const ask = (fields) => client().completions.create({ model: MODEL, prompt: PROBLEM, seed: 1, ...fields });
  const whole = await ask({});
  check(whole.choices[0].text.includes("\\boxed{28}"), whole);
  equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  const chunks = await collected(await ask({ stream: true }));
  equal(chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.text).join(""), whole.choices[0].text);
}

await report(`openai ${VERSION} for JavaScript`, {
  "models": models,
  "basic": basic,
  "stream": streams,
  "usage": usage,
  "n=3": three,
  "stop": stop,
  "seed twice": seedTwice,
  "one token": oneToken,
  "logprobs": logprobs,
  "bad model": () => refused(() => complete({ model: "gpt-4o" }), OpenAI.NotFoundError, "model_not_found", "model"),
  "bad key": () => refused(() => complete({}, "real", { apiKey: "wrong" }), OpenAI.AuthenticationError, "invalid_api_key", null),
  "bad JSON": () => refused(() => client().post("/chat/completions", { body: "text" }), OpenAI.BadRequestError, "invalid_json", null),
  "too long": () => refused(() => stream({ messages: messages(TOO_LONG) }), OpenAI.BadRequestError, "context_length_exceeded", "messages"),
  "overload": overload,
  "mid-stream fault": fault,
  "disconnect": disconnect,
  "tools": tools,
  "JSON format": jsonFormat,
  "responses": responses,
  "responses stream": responsesStream,
  "background": background,
  "resume": resume,
  "cancel": cancel,
  "completions": completions,
});
