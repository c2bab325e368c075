/** Problem by problem: which method was right on which, the problems on which methods disagree, and two methods compared. */

import { h } from "./dom.js";
import { Matrix, outcomeOf } from "./matrix.js";
import { pairOf, pairingOf } from "./pairing.js";

/** @import { Column, Outcome, Problem, Report } from "./report.js" */
/** @import { MatrixRow } from "./matrix.js" */

export class Problems {
  /**
   * @param {Report} report
   * @param {(problem: Problem, column: Column, searches: Outcome[]) => void} choose
   */
  constructor(report, choose) {
    this.report = report;
    /** Searches of each problem and column. @type {Map<string, Outcome[]>} */
    this.searches = new Map();
    const { row: rows, problem, column, seed, search_seed, right, answer, failure } = report.searches;
    rows.forEach((row, i) => {
      const search = {
        row, problem: problem[i], column: column[i], seed: seed[i], search_seed: search_seed[i], right: right[i], answer: answer[i], failure: failure[i],
      };
      const key = placeOf(search.problem, search.column);
      this.searches.set(key, [...(this.searches.get(key) ?? []), search]);
    });
    const budgets = [...new Set(report.columns.map(({ budget }) => budget))].sort((a, b) => a - b);
    const update = () => this.#update();
    this.budget = h("select", { change: () => this.#methods() }, ...budgets.map((budget) => h("option", {}, String(budget))));
    this.budget.value = String(budgets.at(-1));
    this.a = h("select", { change: update });
    this.b = h("select", { change: update });
    this.filter = h("select", { change: update }, ...Object.entries(FILTERS).map(([value, text]) => h("option", { value }, text)));
    this.pairing = h("div", { role: "status" });
    this.matrix = new Matrix(choose);
    this.element = h(
      "section", { class: "run", "aria-label": "Problem by problem" },
      h("h2", {}, "Problem by problem"),
      h(
        "div", { class: "controls" },
        labelled("shown-particles", "Particles", this.budget), labelled("first-method", "First method", this.a),
        labelled("second-method", "Second method", this.b), labelled("shown-problems", "Show", this.filter),
      ),
      this.pairing,
      this.matrix.element,
    );
    this.#methods();
  }

  /** Offer the methods that have the chosen number of particles. */
  #methods() {
    const names = this.#columns().map(({ column }) => column.method);
    [this.a, this.b].forEach((select, i) => {
      const before = select.value;
      select.replaceChildren(...names.map((name) => h("option", {}, name)));
      select.value = names.includes(before) ? before : (names[i] ?? names[0]);
    });
    this.#update();
  }

  #update() {
    const { report } = this;
    const [one, other] = [this.a.value, this.b.value];
    const pair = pairOf(report.pairs, one, other, this.#budget);
    const why = one === other ? "Choose two different methods to compare them." : "No problem has results of all methods yet.";
    this.pairing.replaceChildren(pair === undefined ? h("p", { class: "note" }, why) : pairingOf(pair));
    const columns = this.#columns();
    const rows = report.problems.map((problem, i) => ({ problem, cells: columns.map(({ index }) => this.searches.get(placeOf(i, index)) ?? []) }));
    const [at, to] = [one, other].map((name) => columns.findIndex(({ column }) => column.method === name));
    const passes = passing(this.filter.value, at, to);
    this.matrix.draw(columns.map(({ column }) => column), rows.filter(passes));
  }

  get #budget() {
    return Number(this.budget.value);
  }

  /** @returns {{column: Column, index: number}[]} the columns of the chosen number of particles */
  #columns() {
    return this.report.columns.map((column, index) => ({ column, index })).filter(({ column }) => column.budget === this.#budget);
  }
}

/** @type {Record<string, string>} */
const FILTERS = { all: "all problems", any: "any method right", none: "no method right", disagree: "the two methods disagree" };

/**
 * @param {string} filter
 * @param {number} one column of the first method
 * @param {number} other column of the second
 * @returns {(row: MatrixRow) => boolean}
 */
function passing(filter, one, other) {
  const isRight = (/** @type {Outcome[]} */ cell) => cell.some(({ right }) => right);
  if (filter === "any") return ({ cells }) => cells.some(isRight);
  if (filter === "none") return ({ cells }) => !cells.some(isRight);
  if (filter === "disagree") {
    return ({ cells }) => {
      const [a, b] = [outcomeOf(cells[one]), outcomeOf(cells[other])];
      return a.n > 0 && b.n > 0 && a.nRight * b.n !== b.nRight * a.n;
    };
  }
  return () => true;
}

/** @param {number} problem @param {number} column @returns {string} */
function placeOf(problem, column) {
  return `${problem} ${column}`;
}

/** @param {string} id @param {string} name @param {HTMLElement} control @returns {HTMLElement} */
function labelled(id, name, control) {
  control.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, name), control);
}
