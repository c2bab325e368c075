/** A page that shows the report of an evaluation, which is part of it: curves, problem by problem, and each of its searches. */

import { curvesOf } from "./curves.js";
import { byId, h } from "./dom.js";
import { OutcomeView } from "./outcome.js";
import { Problems } from "./problems.js";
import { tableOf } from "./tables.js";

/** @import { Cell } from "./curves.js" */
/** @import { Pair } from "./pairing.js" */
/** @import { Figures } from "./tables.js" */
/** @import { Result } from "./types.js" */

/**
 * Shapes of the data. `results` are the recorded ones by row number, null if they are too many.
 *
 * @typedef {{id: string, gold: string, text: string | null}} Problem
 * @typedef {{method: string, budget: number, command: string}} Column
 * @typedef {{row: number, problem: number, column: number, seed: number, search_seed: number, right: boolean, answer: string | null,
 *   failure: string | null}} Outcome
 * @typedef {{[Name in keyof Outcome]: Outcome[Name][]}} Outcomes one list for each field
 * @typedef {Figures & {title: string, note: string}} Section
 * @typedef {{dataset: string, lead: string[], file: string, n_problems: number, cells: Cell[], table: Figures, sections: Section[], pairs: Pair[], columns: Column[],
 *   problems: Problem[], searches: Outcomes, results: Record<string, Result> | null}} Report
 */

/** @type {Report} */
const report = JSON.parse(byId("stored", HTMLElement).textContent ?? "{}");
const outcome = new OutcomeView(report);
const problems = new Problems(report, (problem, column, searches) => outcome.show(problem, column, searches));
byId("runs", HTMLElement).append(
  h("section", { class: "run", "aria-label": "Summary" }, h("h2", {}, report.dataset), ...report.lead.map((line) => h("p", { class: "lead" }, line))),
  ...(report.cells.length > 0 ? [curvesOf(report.cells, report.table)] : []),
  problems.element,
  outcome.element,
  ...(report.sections.length > 0 ? [h("section", { class: "run", "aria-label": "More figures" }, h("h2", {}, "More figures"), ...report.sections.map(sectionOf))] : []),
);

/** @param {Section} section @returns {HTMLElement} */
function sectionOf(section) {
  const { title, note } = section;
  return h("details", {}, h("summary", {}, title), ...(note === "" ? [] : [h("p", { class: "lead" }, note)]), tableOf(title, section));
}
