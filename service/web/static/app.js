/** The page: it asks, runs the searches, and offers what can be done with them. */

import { ApiError, ROOT, cancel, mathml, methods, searches, solve } from "./api.js";
import { byId, h } from "./dom.js";
import { Form } from "./form.js";
import { saveSearch, showCode } from "./handing_on.js";
import { entropyButton } from "./handover.js";
import { RunView } from "./run.js";

/** @import { SolveRequest } from "./types.js" */

const runs = byId("runs", HTMLElement);
/** @type {AbortController | null} */
let running = null;
/** Whether the server keeps searches, so that they have permanent addresses. */
let keeps = false;

start();

async function start() {
  const alert = byId("page-alert", HTMLElement);
  try {
    const listed = await methods();
    keeps = listed.keeps_searches;
    byId("to-searches", HTMLElement).hidden = !keeps;
    const form = new Form(listed);
    form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form.requests());
    });
    byId("go", HTMLButtonElement).disabled = false;
  } catch (error) {
    alert.textContent = error instanceof ApiError ? error.message : "The server does not respond. Start it with `epf serve`, then reload the page.";
  }
}

/** @param {SolveRequest[]} requests */
function ask(requests) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  runs.replaceChildren();
  runs.className = requests.length > 1 ? "compare" : "";
  runs.dataset.count = String(requests.length);
  for (const request of requests) follow(request, signal);
}

/**
 * Show one search from its first event to its end.
 * @param {SolveRequest} request
 * @param {AbortSignal} everything ends all searches of the page
 */
async function follow(request, everything) {
  const view = new RunView(request.method ?? "Search", mathml);
  runs.append(view.element);
  const own = new AbortController();
  const signal = AbortSignal.any([everything, own.signal]);
  const stop = h("button", { type: "button", class: "stop", click: () => own.abort() }, "Stop");
  view.actions.append(stop);
  const stopped = () => {
    if (view.search.id !== null) cancel(view.search.id);
  };
  signal.addEventListener("abort", stopped);
  try {
    for await (const event of solve(request, signal)) view.take(event);
    const lost = view.search.result === null && view.search.error === null;
    view.end("ended", lost ? LOST : null);
  } catch (error) {
    if (signal.aborted) view.end("stopped", null);
    else view.end("ended", error instanceof ApiError ? error.message : LOST);
  }
  signal.removeEventListener("abort", stopped);
  const focused = document.activeElement === stop;
  stop.remove();
  const again = offer(view, request);
  if (focused) again.focus();
}

const LOST = "The connection to the server was lost before the search ended. Check that the server runs, then run the search again.";

/**
 * What can be done with a search that has ended.
 * @param {RunView} view
 * @param {SolveRequest} request
 * @returns {HTMLButtonElement} the first action
 */
function offer(view, request) {
  const seeded = { ...request, ...(view.search.seed === null ? {} : { seed: view.search.seed }) };
  const again = h("button", { type: "button", click: () => repeat(view, seeded) }, "Run again");
  again.title = `With the same seed, ${seeded.seed}`;
  const download = h("button", { type: "button", class: "quiet", click: () => saveSearch(view.stored({ request: seeded })) }, "Download");
  const code = h("button", { type: "button", class: "quiet", click: () => showCode(seeded) }, "Code");
  view.actions.append(again, download, code);
  if (keeps && view.search.id !== null) address(view, view.search.id);
  const { result } = view.search;
  if (result !== null) view.actions.append(entropyButton(request.problem, result));
  return again;
}

/**
 * Link to the permanent address of a search that the server has kept.
 * @param {RunView} view @param {string} requestId
 */
async function address(view, requestId) {
  const { searches: found } = await searches({ request_id: requestId, limit: "1" }).catch(() => ({ searches: [] }));
  for (const { id } of found) view.actions.append(h("a", { href: new URL(`searches/${id}`, ROOT).href }, "Permanent address"));
}

/** @param {RunView} view @param {SolveRequest} request */
function repeat(view, request) {
  const others = runs.childElementCount;
  if (others === 1) {
    ask([request]);
    return;
  }
  running ??= new AbortController();
  const place = view.element.nextElementSibling;
  view.element.remove();
  follow(request, running.signal);
  const fresh = runs.lastElementChild;
  if (fresh !== null && place !== null) runs.insertBefore(fresh, place);
}
