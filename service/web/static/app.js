/** The page: it asks, runs the searches, and offers what can be done with them. */

import { ApiError, cancel, mathml, methods, solve } from "./api.js";
import { byId, h } from "./dom.js";
import { Form } from "./form.js";
import { keyHeader } from "./key.js";
import { RunView } from "./run.js";
import { snippetsOf } from "./snippets.js";

/** @import { SolveRequest } from "./types.js" */

const runs = byId("runs", HTMLElement);
/** @type {AbortController | null} */
let running = null;

start();

async function start() {
  const alert = byId("page-alert", HTMLElement);
  try {
    const form = new Form(await methods());
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
  const download = h("button", { type: "button", class: "quiet", click: () => save(view, seeded) }, "Download");
  const code = h("button", { type: "button", class: "quiet", click: () => showCode(seeded) }, "Code");
  view.actions.append(again, download, code);
  return again;
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

/** @param {RunView} view @param {SolveRequest} request */
function save(view, request) {
  const content = JSON.stringify(view.stored({ request }), null, 1);
  const address = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  h("a", { href: address, download: `search-${request.method}-${request.seed}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {SolveRequest} request */
function showCode(request) {
  const dialog = byId("code-dialog", HTMLDialogElement);
  const place = byId("code", HTMLElement);
  const base = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const keyed = Object.keys(keyHeader()).length > 0;
  place.replaceChildren(
    ...snippetsOf(request, base, keyed).map(({ name, code }) => {
      const copy = h("button", { type: "button", class: "quiet", "aria-label": `Copy as ${name}`, click: () => copyText(code, copy) }, "Copy");
      return h("section", {}, h("header", {}, h("h3", {}, name), copy), h("pre", { tabindex: "0" }, code));
    }),
  );
  dialog.showModal();
}

/** @param {string} text @param {HTMLButtonElement} button */
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
}
