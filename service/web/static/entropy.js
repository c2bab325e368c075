/** The page of the entropy tools: a question, the traces that it is about, and the answer of the server. */

import { ApiError, answerOf } from "./api.js";
import { byId, h } from "./dom.js";
import { showAnswer } from "./entropyanswer.js";
import { Options } from "./entropyoptions.js";
import { taken } from "./handover.js";
import { Traces } from "./traces.js";

/** @import { Schema } from "./entropyoptions.js" */
/** @typedef {{name: string, question: string, paper: string, endpoint: string, input_schema: Schema}} EntropyTool */

const LOST = "The server does not respond. Start it with `epf serve`, then reload the page.";

const alert = byId("page-alert", HTMLElement);
const go = byId("go", HTMLButtonElement);
const answer = byId("answer", HTMLElement);

start();

async function start() {
  try {
    const { tools } = await answerOf("entropy");
    open(tools);
  } catch (error) {
    alert.textContent = error instanceof ApiError ? error.message : LOST;
  }
}

/** @param {EntropyTool[]} tools */
function open(tools) {
  const select = byId("tool", HTMLSelectElement);
  select.append(...tools.map(({ name, question }) => h("option", { value: name }, `${name}: ${question}`)));
  const options = new Options(byId("options", HTMLElement));
  const chosen = () => tools[select.selectedIndex];
  const traces = new Traces(() => JSON.stringify(chosen().input_schema.examples[0], null, 1));
  const choose = () => {
    const { paper, input_schema } = chosen();
    byId("paper", HTMLElement).textContent = `Based on ${paper}.`;
    options.show(input_schema);
    traces.describe("traces" in input_schema.properties);
    answer.replaceChildren();
  };
  select.addEventListener("change", choose);
  choose();
  const handed = taken();
  if (handed !== null) traces.load("the search", handed);
  byId("ask", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    ask(chosen(), traces, options);
  });
  go.disabled = false;
}

/** @param {EntropyTool} tool @param {Traces} traces @param {Options} options */
async function ask(tool, traces, options) {
  go.disabled = true;
  alert.textContent = "";
  traces.fail("");
  options.fail(null, "");
  answer.replaceChildren(h("p", { class: "note" }, "Computing"));
  try {
    showAnswer(answer, tool.question, await answerOf(`${tool.endpoint.slice(1)}/report`, { file: traces.text, options: options.values }));
  } catch (error) {
    answer.replaceChildren();
    const message = error instanceof ApiError ? error.message : LOST;
    if (!(error instanceof ApiError)) alert.textContent = message;
    else if (!options.fail(error.param, message)) traces.fail(message);
  }
  go.disabled = false;
}
