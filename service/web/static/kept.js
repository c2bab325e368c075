/** One kept search at its permanent address. */

import { ApiError, deleteSearch, keptSearch, mathml } from "./api.js";
import { confirmDeletion } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { saveSearch, showCode } from "./handing_on.js";
import { entropyButton } from "./handover.js";
import { RunView } from "./run.js";

/** @import { KeptSearch } from "./types.js" */

const alert = byId("page-alert", HTMLElement);

trying(async () => show(await keptSearch(location.pathname.split("/").at(-1) ?? "")));

/** @param {KeptSearch} kept */
function show(kept) {
  const { request, events, state, started_at: time } = kept;
  document.title = `${request.problem.slice(0, 80)} - Entropic particle filtering`;
  byId("summary", HTMLElement).textContent = new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const view = new RunView(request.method ?? "Search", mathml);
  byId("runs", HTMLElement).append(h("p", { class: "problem" }, request.problem), view.element);
  for (const event of events) view.take(event);
  view.end(state === "stopped" ? "stopped" : "ended", null);
  view.actions.append(
    h("button", { type: "button", class: "quiet", click: () => saveSearch(kept) }, "Download"),
    h("button", { type: "button", class: "quiet", click: () => showCode(request) }, "Code"),
    ...(view.search.result === null ? [] : [entropyButton(request.problem, view.search.result)]),
    h("button", { type: "button", class: "quiet", click: () => trying(() => drop(kept)) }, "Delete"),
  );
}

/** @param {KeptSearch} kept */
async function drop({ id, request }) {
  if (!(await confirmDeletion(request.problem))) return;
  await deleteSearch(id);
  location.replace("../searches");
}

/** Do something, and show why it failed. @param {() => Promise<void>} work */
async function trying(work) {
  try {
    await work();
  } catch (error) {
    alert.textContent = error instanceof ApiError ? error.message : "The server does not respond. Reload the page.";
  }
}
