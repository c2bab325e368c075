/** The list of kept searches: filter, open, delete, download. */

import { ApiError, ROOT, deleteSearch, exported, methods, searches } from "./api.js";
import { confirmDeletion } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { saveFile } from "./handing_on.js";
import { counted, percent } from "./numbers.js";

/** @import { SearchSummary } from "./types.js" */

const DAY_MS = 24 * 60 * 60 * 1000;

/** @type {Record<SearchSummary["state"], string>} */
const ENDS = { answered: "No answer", failed: "Failed", stopped: "Stopped" };

const form = byId("filter", HTMLFormElement);
const list = byId("searches", HTMLUListElement);
const more = byId("more", HTMLButtonElement);
const count = byId("count", HTMLElement);
const alert = byId("page-alert", HTMLElement);
const save = byId("export", HTMLButtonElement);

start();

async function start() {
  await trying(async () => {
    const select = byId("method", HTMLSelectElement);
    for (const { name } of (await methods()).methods) select.append(h("option", { value: name }, name));
    const given = new URLSearchParams(location.search);
    for (const field of form.querySelectorAll("input, select")) {
      if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = given.get(field.name) ?? "";
    }
    await show();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = new URLSearchParams(filled());
    history.replaceState(null, "", chosen.size > 0 ? `?${chosen}` : location.pathname);
    trying(show);
  });
  more.addEventListener("click", () => trying(showOlder));
  save.addEventListener("click", () => trying(async () => saveFile("searches.jsonl", await exported(query()))));
}

/** @returns {Record<string, string>} the fields of the form that are not empty */
function filled() {
  const fields = /** @type {[string, string][]} */ ([...new FormData(form)]);
  return Object.fromEntries(fields.map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
}

/** @returns {Record<string, string>} the form as a query of the API, whose times are exact: days are those of the reader */
function query() {
  const { since, until, ...others } = filled();
  const midnight = (/** @type {string} */ day) => new Date(`${day}T00:00`).getTime();
  return {
    ...others,
    ...(since ? { since: new Date(midnight(since)).toISOString() } : {}),
    ...(until ? { until: new Date(midnight(until) + DAY_MS).toISOString() } : {}),
  };
}

async function show() {
  list.replaceChildren();
  await add(query());
  save.disabled = list.childElementCount === 0;
}

async function showOlder() {
  const oldest = list.lastElementChild;
  const first = await add({ ...query(), ...(oldest instanceof HTMLElement ? { after: oldest.dataset.id ?? "" } : {}) });
  first?.querySelector("a")?.focus();
}

/**
 * Append one page to the list.
 * @param {Record<string, string>} asked
 * @returns {Promise<Element | null>} the first new row
 */
async function add(asked) {
  const before = list.lastElementChild;
  const page = await searches(asked);
  list.append(...page.searches.map(row));
  more.hidden = !page.has_more;
  tell();
  return before === null ? list.firstElementChild : before.nextElementSibling;
}

function tell() {
  const n = list.childElementCount;
  const none = Object.keys(filled()).length > 0 ? "No search matches" : "No search is kept yet";
  count.textContent = n === 0 ? none : `${counted(n, "search", "searches")}${more.hidden ? "" : ", and older ones"}`;
}

/** @param {SearchSummary} search @returns {HTMLLIElement} */
function row(search) {
  const { id, problem, answer, confidence, state, method, n_particles: n, seed } = search;
  const remove = h("button", { type: "button", class: "quiet", "aria-label": `Delete: ${problem}`, click: () => trying(() => drop(element, search)) }, "Delete");
  const figures = [method, counted(n, "particle"), `seed ${seed}`];
  if (search.seconds !== null) figures.push(`${search.seconds.toFixed(1)} s`);
  const element = h(
    "li", { "data-id": id },
    h(
      "div", {},
      h("a", { href: new URL(`searches/${id}`, ROOT).href, class: "excerpt" }, problem),
      h("p", { class: "note" }, h("time", { datetime: search.started_at }, timeOf(search.started_at)), ` · ${figures.join(" · ")}`),
    ),
    h("p", { class: "kept-answer" }, h("strong", {}, answer ?? ENDS[state]), confidence !== null && answer !== null && h("span", { class: "note" }, ` ${percent(confidence)}`)),
    remove,
  );
  return element;
}

/** @param {HTMLLIElement} element @param {SearchSummary} search */
async function drop(element, { id, problem }) {
  if (!(await confirmDeletion(problem))) return;
  await deleteSearch(id);
  const next = element.nextElementSibling ?? element.previousElementSibling;
  element.remove();
  if (list.childElementCount === 0) await show();
  tell();
  (next?.querySelector("button") ?? byId("q", HTMLInputElement)).focus();
}

/** @param {string} time @returns {string} in the reader's own zone */
function timeOf(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Do something, and show why it failed. @param {() => Promise<void>} work */
async function trying(work) {
  alert.textContent = "";
  try {
    await work();
  } catch (error) {
    if (count.textContent === "Loading") count.textContent = "";
    alert.textContent = error instanceof ApiError ? error.message : "The server does not respond. Try again.";
  }
}
