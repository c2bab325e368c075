/** The outcomes of methods on problems as a table whose cells can be chosen. The arrow keys move in it. */

import { h } from "./dom.js";

/** @import { Column, Outcome, Problem } from "./report.js" */

/** @typedef {{problem: Problem, cells: Outcome[][]}} MatrixRow one list of searches for each column */

/** Rows that are added at a time. */
const PAGE = 50;

/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class Matrix {
  /** @param {(problem: Problem, column: Column, searches: Outcome[]) => void} choose */
  constructor(choose) {
    this.choose = choose;
    /** @type {Column[]} */
    this.columns = [];
    /** @type {MatrixRow[]} */
    this.rows = [];
    this.count = h("p", { class: "note", role: "status" });
    this.head = h("thead");
    this.body = h("tbody");
    this.more = h("button", { type: "button", click: () => this.#extend() });
    const table = h("table", { class: "matrix", keydown: (/** @type {KeyboardEvent} */ event) => this.#move(event) }, this.head, this.body);
    this.element = h(
      "div", {},
      this.count,
      h("div", { class: "table-frame", role: "group", "aria-label": "Outcomes; the arrow keys move between them" }, table),
      this.more,
    );
  }

  /** @param {Column[]} columns @param {MatrixRow[]} rows */
  draw(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.count.textContent = rows.length === 1 ? "1 problem" : `${rows.length} problems`;
    const names = ["problem", "right answer", ...columns.map(({ method }) => method)];
    this.head.replaceChildren(h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name))));
    this.body.replaceChildren();
    this.#extend();
    this.body.querySelector("button")?.setAttribute("tabindex", "0");
  }

  #extend() {
    const from = this.body.childElementCount;
    for (const row of this.rows.slice(from, from + PAGE)) this.body.append(this.#row(row));
    const left = this.rows.length - this.body.childElementCount;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(PAGE, left)} more of ${left}`;
  }

  /** @param {MatrixRow} row @returns {HTMLElement} */
  #row({ problem, cells }) {
    const made = cells.map((searches, i) => {
      const { text, words, kind } = outcomeOf(searches);
      if (kind === "missing") return h("td", {}, text);
      const column = this.columns[i];
      const click = (/** @type {MouseEvent} */ { currentTarget }) => {
        this.#focus(/** @type {HTMLElement} */ (currentTarget));
        this.choose(problem, column, searches);
      };
      return h("td", {}, h("button", { type: "button", class: `outcome ${kind}`, tabindex: "-1", "aria-label": `${column.method}: ${words}`, click }, text));
    });
    return h("tr", {}, h("th", { scope: "row", title: problem.text }, problem.id), h("td", {}, problem.gold), ...made);
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const move = MOVES[event.key];
    const cell = document.activeElement?.closest("td");
    const row = cell?.parentElement;
    if (move === undefined || cell === null || cell === undefined || !(row instanceof HTMLTableRowElement)) return;
    event.preventDefault();
    const rows = [...this.body.children];
    let [at, index] = [rows.indexOf(row), cell.cellIndex];
    for (;;) {
      at += move[0];
      index += move[1];
      const next = rows[at]?.children[index];
      if (next === undefined || next === null) return;
      const button = next.querySelector("button");
      if (button !== null) {
        this.#focus(button);
        button.focus();
        return;
      }
    }
  }

  /** Make this cell the one stop of the tab key. @param {HTMLElement} cell */
  #focus(cell) {
    this.body.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
  }
}

/**
 * @param {Outcome[]} searches of one problem, method and number of particles, one for each seed
 * @returns {{n: number, nRight: number, kind: "missing" | "failed" | "right" | "wrong" | "mixed", text: string, words: string}}
 */
export function outcomeOf(searches) {
  const n = searches.length;
  const nRight = searches.filter(({ right }) => right).length;
  if (n === 0) return { n, nRight, kind: "missing", text: "–", words: "no search" };
  if (searches.every(({ failure }) => failure !== null)) return { n, nRight, kind: "failed", text: "!", words: "failed" };
  const kind = nRight === n ? "right" : nRight === 0 ? "wrong" : "mixed";
  const text = n > 1 ? `${nRight}/${n}` : nRight === 1 ? "✓" : "✗";
  return { n, nRight, kind, text, words: n > 1 ? `${nRight} of ${n} right` : kind };
}
