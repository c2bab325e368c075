/** The lines of descent: for each column one path to the steps that live on, and one to the others. One path for each line would be a third of all elements. */

import { s } from "./dom.js";
import { sizeOf, xOf, yOf } from "./layout.js";

/** @import { Layout } from "./layout.js" */
/** @import { Search, Step } from "./search.js" */

export class Edges {
  constructor() {
    this.path = s("path", { class: "edge on-path" });
    this.element = s("g", { class: "edges", "aria-hidden": "true" }, this.path);
    /** @type {Map<number, {alive: SVGPathElement, faded: SVGPathElement}>} */
    this.columns = new Map();
  }

  /**
   * Draw the lines to the steps of some columns anew.
   * @param {Search} search @param {Layout} layout @param {Set<number>} columns
   */
  draw(search, layout, columns) {
    /** @type {Map<number, {alive: string, faded: string}>} */
    const lines = new Map();
    for (const t of columns) lines.set(t, { alive: "", faded: "" });
    for (const step of search.steps) {
      const line = lines.get(step.t);
      if (line !== undefined) line[step.alive ? "alive" : "faded"] += lineTo(layout, step);
    }
    for (const [t, { alive, faded }] of lines) {
      const column = this.#column(t);
      column.alive.setAttribute("d", alive);
      column.faded.setAttribute("d", faded);
    }
  }

  /** @param {Step | null} step whose line of descent stands out @param {Layout} layout */
  choose(step, layout) {
    let line = "";
    for (let at = step; at !== null; at = at.parent) line += lineTo(layout, at);
    this.path.setAttribute("d", line);
  }

  /** @param {number} t */
  #column(t) {
    const known = this.columns.get(t);
    if (known !== undefined) return known;
    const column = { alive: s("path", { class: "edge" }), faded: s("path", { class: "edge faded" }) };
    this.path.before(column.faded, column.alive);
    this.columns.set(t, column);
    return column;
  }
}

/** @param {Layout} layout @param {Step} to @returns {string} a curve from the step that this one continues */
function lineTo(layout, to) {
  const from = to.parent;
  if (from === null) return "";
  const x1 = xOf(layout, from.t) + sizeOf(layout, from.carried)[0] / 2;
  const x2 = xOf(layout, to.t) - sizeOf(layout, to.carried)[0] / 2;
  const [y1, y2] = [yOf(layout, from.slot), yOf(layout, to.slot)];
  const middle = (x1 + x2) / 2;
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${middle.toFixed(1)} ${y1.toFixed(1)} ${middle.toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}
