/** The searches of one method on one problem, one for each seed, and the chosen one in the picture of all searches. */

import { h } from "./dom.js";
import { RunView } from "./run.js";
import { quoted } from "./snippets.js";
import { eventsOfResult } from "./stored.js";

/** @import { Column, Outcome, Problem, Report } from "./report.js" */

export class OutcomeView {
  /** @param {Report} report */
  constructor(report) {
    this.report = report;
    this.title = h("h2", { tabindex: "-1" });
    this.about = h("div");
    this.seeds = h("div", { class: "seeds", role: "group", "aria-label": "Searches, one for each seed" });
    this.place = h("div");
    this.element = h("section", { class: "chosen-search", "aria-label": "The chosen search", hidden: true }, this.title, this.about, this.seeds, this.place);
  }

  /** @param {Problem} problem @param {Column} column @param {Outcome[]} searches */
  show(problem, column, searches) {
    this.element.hidden = false;
    this.title.textContent = `${problem.id}: ${column.method} at ${column.budget}`;
    this.about.replaceChildren(...(problem.text === null ? [] : [h("p", { class: "problem" }, problem.text)]), h("p", { class: "note" }, `Right answer: ${problem.gold}`));
    const buttons = searches.map((search) => {
      const what = search.failure !== null ? "failed" : `${search.answer ?? "no answer"}, ${search.right ? "right" : "wrong"}`;
      const choose = () => {
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
        this.place.replaceChildren(...this.#search(problem, column, search));
      };
      const button = h("button", { type: "button", "aria-pressed": "false", click: choose }, `Seed ${search.seed}: ${what}`);
      return button;
    });
    this.seeds.replaceChildren(...buttons);
    buttons[0]?.click();
    this.title.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "start" });
  }

  /** @param {Problem} problem @param {Column} column @param {Outcome} search @returns {HTMLElement[]} */
  #search(problem, column, search) {
    if (search.failure !== null) return [h("p", { class: "failure" }, `This search failed: ${search.failure}`)];
    const { results, file } = this.report;
    const record = h("pre", { tabindex: "0" }, commandOf(problem, column, search));
    if (results === null) {
      const open = `epf view ${quoted(file)} --row ${search.row}`;
      return [note("This run has more searches than one page holds. Open this one by its row:"), h("pre", { tabindex: "0" }, open)];
    }
    const result = results[search.row];
    if (result === undefined) {
      return [note("The run recorded no scores of this search, so there is nothing to draw. Record it, with the models of the run:"), record];
    }
    const view = new RunView(column.method, null);
    for (const event of eventsOfResult(result)) view.take(event);
    view.end("ended", null);
    return [view.element, h("details", {}, h("summary", {}, "Read its texts"), note("A run keeps scores and no texts. Repeat the search with the models of the run:"), record)];
  }
}

/** @param {Problem} problem @param {Column} column @param {Outcome} search @returns {string} */
function commandOf(problem, column, search) {
  const text = problem.text === null ? '"$PROBLEM"' : quoted(problem.text);
  return `${column.command} --seed ${search.search_seed} -- ${text} > search.json\nepf view search.json`;
}

/** @param {string} text @returns {HTMLElement} */
function note(text) {
  return h("p", { class: "note" }, text);
}
