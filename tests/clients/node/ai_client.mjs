// The AI SDK with its two providers for this API.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";
import { readFileSync } from "node:fs";
import {
  KEY, MODEL, PROBLEM, TOO_LONG, afterRetry, check, collected, equal, raised, report, untilNothingRuns, untilSomethingRuns, url,
} from "./cases.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));
const NAMED = { schema: jsonSchema({ type: "object", properties: { answer: { type: "number" } } }) };

const openai = (server, apiKey) => createOpenAI({ baseURL: url(server), apiKey });
const compatible = (server, apiKey) => createOpenAICompatible({ name: "epf", baseURL: url(server), apiKey, includeUsage: true });

const PROVIDERS = {
  "@ai-sdk/openai": (server, model, apiKey) => openai(server, apiKey).chat(model),
  "@ai-sdk/openai-compatible": (server, model, apiKey) => compatible(server, apiKey).chatModel(model),
};

class Cases {
  constructor(model) {
    this.model = (server = "real", name = MODEL, key = KEY) => model(server, name, key);
  }

  write = (options = {}) => generateText({ model: this.model(), prompt: PROBLEM, maxRetries: 0, seed: 1, ...options });

  async streamed(options = {}) {
    const errors = [];
    const result = streamText({ model: this.model(), prompt: PROBLEM, maxRetries: 0, seed: 1, onError: ({ error }) => errors.push(error), ...options });
    const parts = await collected(result.textStream);
    if (errors.length) throw errors[0];
    return { text: parts.join(""), usage: await result.usage, finishReason: await result.finishReason };
  }

  basic = async () => {
    const { text, finishReason } = await this.write();
    check(text.includes("\\boxed{28}"), text);
    equal(finishReason, "stop");
  };

  stream = async () => {
    const { text, finishReason } = await this.streamed();
    equal(text, (await this.write()).text);
    equal(finishReason, "stop");
  };

  usage = async () => {
    const { usage } = await this.write();
    equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
    const { textTokens, reasoningTokens } = usage.outputTokenDetails;
    check(textTokens > 0 && reasoningTokens > 0, usage);
    equal(usage.outputTokens, textTokens + reasoningTokens);
    const { usage: streamed } = await this.streamed();
    equal([streamed.inputTokens, streamed.outputTokenDetails.textTokens], [usage.inputTokens, textTokens]);
  };

  stop = async () => equal((await this.write({ stopSequences: ["\n\n"] })).text, "45 - 17 = 28.");

  seedTwice = async () => {
    const ask = async () => (await this.write({ model: this.model("real", "stories-generator"), seed: 9, temperature: 1.5 })).text;
    equal(await ask(), await ask());
  };

  oneToken = async () => equal((await this.write({ maxOutputTokens: 1 })).finishReason, "length");

  async refused(options, status, words) {
    const error = await raised(() => this.write(options));
    equal([error.name, error.statusCode], ["AI_APICallError", status]);
    check(error.message.includes(words), error.message);
  }

  overload = async () => {
    await this.refused({ model: this.model("overloaded") }, 503, "full");
    await this.write({ model: this.model("overloaded") });
    await afterRetry(() => this.write({ model: this.model("overloaded"), maxRetries: 1 }));
  };

  fault = async () => {
    const error = await raised(() => this.streamed({ model: this.model("faulty") }));
    check(error.message.includes("the engine went away"), error.name, error.message);
  };

  disconnect = async () => {
    const controller = new AbortController();
    const writing = raised(() => this.write({ model: this.model("endless"), abortSignal: controller.signal }));
    await untilSomethingRuns();
    controller.abort();
    equal((await writing).name, "AbortError");
    await untilNothingRuns();
  };

  tools = () => this.refused({ tools: { add: tool({ inputSchema: NAMED.schema }) } }, 400, "tools");

  jsonFormat = () => this.refused({ output: Output.object(NAMED) }, 400, "response_format");
}

for (const [provider, model] of Object.entries(PROVIDERS)) {
  const cases = new Cases(model);
  const named = {
    "basic": cases.basic,
    "stream": cases.stream,
    "usage": cases.usage,
    "stop": cases.stop,
    "seed twice": cases.seedTwice,
    "one token": cases.oneToken,
    "bad model": () => cases.refused({ model: cases.model("real", "gpt-4o") }, 404, "gpt-4o"),
    "bad key": () => cases.refused({ model: cases.model("real", MODEL, "wrong") }, 401, "key"),
    "too long": () => cases.refused({ prompt: TOO_LONG }, 400, "context"),
    "overload": cases.overload,
    "mid-stream fault": cases.fault,
    "disconnect": cases.disconnect,
    "tools": cases.tools,
    "JSON format": cases.jsonFormat,
  };
  if (provider === "@ai-sdk/openai") {
    const responding = new Cases((server, name, key) => openai(server, key).responses(name));
    named["responses"] = async () => { await responding.basic(); await responding.usage(); await responding.disconnect(); };
    named["responses stream"] = responding.stream;
  }
  if (provider === "@ai-sdk/openai-compatible") {
    const completing = new Cases((server, name, key) => compatible(server, key).completionModel(name));
    named["completions"] = async () => { await completing.basic(); await completing.stream(); await completing.disconnect(); };
  }
  await report(`ai ${dependencies.ai} with ${provider} ${dependencies[provider]}`, named, "it has no such call");
}
