/** Accuracy over the number of particles, one line for each method, with intervals; and the same numbers as a table. */

import { h, s } from "./dom.js";
import { tableOf } from "./tables.js";

/** @import { Figures } from "./tables.js" */

/**
 * @typedef {{mean: number, low: number, high: number}} Interval
 * @typedef {{method: string, budget: number, accuracy: Interval}} Cell
 */

const HEIGHT = 340;
const MARGIN = { left: 40, right: 14, top: 12, bottom: 40 };
/** Distance in pixels between the intervals of two methods at the same number of particles. */
const APART = 5;
const N_COLOURS = 8;

/** Marks as paths around the origin. */
const MARKS = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-4-4h8v8h-8z", "M0-5L5 4H-5z", "M0-5.5L5.5 0L0 5.5L-5.5 0z"];

/** @param {Cell[]} cells @param {Figures} figures the same as text, one row for each cell @returns {HTMLElement} */
export function curvesOf(cells, figures) {
  const methods = [...new Set(cells.map(({ method }) => method))];
  const shown = new Set(methods.slice(0, N_COLOURS));
  const place = h("div", { class: "curves" });
  const draw = () => place.replaceChildren(chart(cells, figures, methods, shown, place.clientWidth));
  new ResizeObserver(draw).observe(place);
  const choices = methods.map((method, i) => {
    const change = (/** @type {{target: HTMLInputElement}} */ { target }) => {
      if (target.checked) shown.add(method);
      else shown.delete(method);
      draw();
    };
    const box = h("input", { type: "checkbox", checked: shown.has(method), change });
    const sample = s("svg", { class: "sample", width: 30, height: 14, "aria-hidden": "true" }, line(i, "M2 7H28"), mark(i, 15, 7));
    return h("label", { class: "choice" }, box, sample, method);
  });
  return h(
    "section", { class: "run", "aria-label": "Accuracy" },
    h("h2", {}, "Accuracy over the number of particles"),
    h("p", { class: "note" }, "In percent of the problems, with 95 % intervals over problems."),
    place,
    h("fieldset", { class: "choices" }, h("legend", {}, "Methods in the picture"), ...choices),
    h("details", {}, h("summary", {}, "The same numbers as a table"), tableOf("Accuracies", figures)),
  );
}

/**
 * @param {Cell[]} cells
 * @param {Figures} figures
 * @param {string[]} methods in the order of the run, which chooses their colours and marks
 * @param {Set<string>} shown
 * @param {number} width
 * @returns {SVGElement}
 */
function chart(cells, figures, methods, shown, width) {
  const visible = cells.filter(({ method }) => shown.has(method));
  const budgets = [...new Set(cells.map(({ budget }) => budget))].sort((a, b) => a - b);
  const low = Math.floor(10 * Math.min(1, ...visible.map(({ accuracy }) => accuracy.low))) / 10;
  const high = Math.ceil(10 * Math.max(low + 0.1, ...visible.map(({ accuracy }) => accuracy.high))) / 10;
  const inner = width - MARGIN.left - MARGIN.right;
  const [first, last] = [Math.log2(budgets[0]), Math.log2(budgets[budgets.length - 1])];
  const room = shown.size * APART;
  const x = (/** @type {number} */ budget) =>
    MARGIN.left + room / 2 + (last === first ? 0.5 : (Math.log2(budget) - first) / (last - first)) * (inner - room);
  const y = (/** @type {number} */ share) => HEIGHT - MARGIN.bottom - ((share - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const label = "Accuracy in percent by number of particles, one line for each chosen method. The table below has the same numbers.";
  const svg = s("svg", { class: "curve-chart", width, height: HEIGHT, role: "img", "aria-label": label });
  for (let tick = Math.round(10 * low); tick <= Math.round(10 * high); tick++) {
    svg.append(
      s("line", { class: "curve-rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick / 10), y2: y(tick / 10) }),
      s("text", { class: "curve-label", x: MARGIN.left - 6, y: y(tick / 10) + 4, "text-anchor": "end" }, String(10 * tick)),
    );
  }
  for (const budget of budgets) svg.append(s("text", { class: "curve-label", x: x(budget), y: HEIGHT - 22, "text-anchor": "middle" }, String(budget)));
  svg.append(s("text", { class: "curve-label", x: MARGIN.left + inner / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "particles"));
  [...shown].sort((a, b) => methods.indexOf(a) - methods.indexOf(b)).forEach((method, place) => {
    const i = methods.indexOf(method);
    const own = visible.filter((cell) => cell.method === method).sort((a, b) => a.budget - b.budget);
    const points = own.map((cell) => ({ cell, px: x(cell.budget) + (place - (shown.size - 1) / 2) * APART, py: y(cell.accuracy.mean) }));
    svg.append(line(i, points.map(({ px, py }, k) => `${k === 0 ? "M" : "L"}${px.toFixed(1)} ${py.toFixed(1)}`).join("")));
    for (const { cell, px, py } of points) {
      const [top, bottom] = [y(cell.accuracy.high), y(cell.accuracy.low)];
      const bar = `M${px - 3} ${top}h6m-3 0V${bottom}m-3 0h6`;
      const title = `${method} at ${cell.budget}: ${figures.rows[cells.indexOf(cell)][2]} %`;
      svg.append(s("g", {}, s("title", {}, title), s("path", { class: `curve curve-${i % N_COLOURS} bar-line`, d: bar }), mark(i, px, py)));
    }
  });
  return svg;
}

/** @param {number} i @param {string} d @returns {SVGElement} */
function line(i, d) {
  const dashes = Math.floor(i / N_COLOURS);
  return s("path", { class: `curve curve-${i % N_COLOURS}`, d, "stroke-dasharray": dashes === 0 ? null : `${7 - dashes} 3` });
}

/** @param {number} i @param {number} x @param {number} y @returns {SVGElement} */
function mark(i, x, y) {
  return s("path", { class: `mark-${i % N_COLOURS}`, d: MARKS[i % MARKS.length], transform: `translate(${x} ${y})` });
}
