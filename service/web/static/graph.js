/** The picture of a search: particles as rows, steps as columns, lines of descent between them. */

import { colourOf } from "./colour.js";
import { s } from "./dom.js";
import { Edges } from "./edges.js";
import { drawLanes } from "./lanes.js";
import { layoutOf, sizeOf, xOf, yOf } from "./layout.js";
import { isFinished } from "./search.js";

/** @import { Layout } from "./layout.js" */
/** @import { Search, Step } from "./search.js" */

/** @typedef {{node: SVGGElement, mark: SVGRectElement, label: SVGTextElement | null}} Drawn */

/** Number of steps above which nothing fades gradually. */
const LARGE = 300;

export class Graph {
  /**
   * @param {Search} search
   * @param {(step: Step) => void} onSelect
   */
  constructor(search, onSelect) {
    this.search = search;
    this.onSelect = onSelect;
    /** @type {Map<Step, Drawn>} */
    this.drawn = new Map();
    /** @type {Step | null} */
    this.selected = null;
    /** @type {Layout | null} */
    this.layout = null;
    /** Width in which the picture should fit; 0 until it is known. */
    this.available = 0;
    this.nRounds = 0;
    this.running = true;
    this.axis = s("g", { class: "axis", "aria-hidden": "true" });
    this.edges = new Edges();
    this.nodes = s("g", { class: "nodes" });
    this.answers = s("g", { class: "answers", "aria-hidden": "true" });
    this.lanes = s("g", { class: "lanes", "aria-hidden": "true" });
    this.svg = s("svg", { class: "graph", role: "group" }, this.axis, this.lanes, this.edges.element, this.nodes, this.answers);
    this.nodes.addEventListener("click", (event) => this.#onClick(event));
    this.svg.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** @param {number} width in which the picture should fit */
  resize(width) {
    this.available = width;
    this.draw();
  }

  /** Draw what has changed since the last call. */
  draw() {
    const { search } = this;
    if (search.n === 0) return;
    const answers = search.steps.some(isFinished);
    const layout = layoutOf({ n: search.n, columns: search.columns, available: this.available, answers, lanes: search.rounds.length > 0, running: this.running });
    const before = this.layout;
    const moved = before === null || before.cellWidth !== layout.cellWidth || before.cellHeight !== layout.cellHeight;
    const grown = moved || before.width !== layout.width || before.height !== layout.height || before.columns !== layout.columns;
    this.layout = layout;
    if (grown) {
      this.svg.classList.toggle("large", search.steps.length > LARGE);
      this.svg.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
      this.svg.setAttribute("width", String(layout.width));
      this.svg.setAttribute("height", String(layout.height));
      this.#drawAxis(layout);
    }
    const anew = moved ? search.steps : search.changed;
    for (const step of anew) this.#place(step, layout);
    this.edges.draw(search, layout, new Set(Array.from(anew, (step) => step.t)));
    if (moved) this.edges.choose(this.selected, layout);
    search.changed.clear();
    if (this.selected === null && search.steps.length > 0) this.#drawnOf(search.steps[0]).node.setAttribute("tabindex", "0");
    if (grown || this.nRounds !== search.rounds.length || search.result !== null) {
      this.#drawAnswers(layout);
      if (search.rounds.length > 0) drawLanes(this.lanes, search, layout);
      this.nRounds = search.rounds.length;
    }
    this.svg.setAttribute("aria-label", `Steps of ${search.n} particles. Move between them with the arrow keys.`);
  }

  /** @param {Step} step */
  select(step) {
    if (this.selected !== null) {
      const before = this.#drawnOf(this.selected).node;
      before.classList.remove("selected");
      before.setAttribute("tabindex", "-1");
    } else if (this.search.steps.length > 0) {
      this.#drawnOf(this.search.steps[0]).node.setAttribute("tabindex", "-1");
    }
    this.selected = step;
    const { node } = this.#drawnOf(step);
    node.classList.add("selected");
    node.setAttribute("tabindex", "0");
    if (this.layout !== null) this.edges.choose(step, this.layout);
    this.onSelect(step);
  }

  /** @param {Step} step @returns {Drawn} */
  #drawnOf(step) {
    const known = this.drawn.get(step);
    if (known !== undefined) return known;
    const node = /** @type {SVGGElement} */ (NODE.cloneNode(true));
    const mark = /** @type {SVGRectElement} */ (node.firstChild);
    /** @type {Drawn} */
    const drawn = { node, mark, label: null };
    this.drawn.set(step, drawn);
    stepOf.set(node, step);
    this.nodes.append(node);
    return drawn;
  }

  /** @param {Step} step @param {Layout} layout */
  #place(step, layout) {
    const drawn = this.#drawnOf(step);
    const { node, mark } = drawn;
    const x = xOf(layout, step.t);
    const y = yOf(layout, step.slot);
    const [width, height] = sizeOf(layout, step.carried);
    // A step stands at its place by its own coordinates. The browser would arrange each transformed group anew at every key press.
    set(mark, { x: (x - width / 2).toFixed(1), y: (y - height / 2).toFixed(1), width, height, rx: Math.min(width, height) / (isFinished(step) ? 6 : 2) });
    const dropped = step.round !== null && step.continuedBy.length === 0;
    const classes = ["node"];
    if (step.score === null) classes.push("unscored");
    if (step.carried) classes.push("carried");
    if (isFinished(step)) classes.push("finished");
    if (dropped) classes.push("dropped");
    if (!step.alive) classes.push("faded");
    if (step === this.selected) classes.push("selected");
    if (step.score !== null) set(mark, { color: colourOf(step.score) });
    const words = layout.labelled && !step.carried ? labelOf(step, layout) : [];
    if (drawn.label === null && words.length > 0) {
      drawn.label = s("text", { dy: "0.35em" });
      node.append(drawn.label);
    }
    if (drawn.label !== null) {
      drawn.label.replaceChildren(...words);
      set(drawn.label, layout.written ? { "text-anchor": "start", x: x + 9 - width / 2, y } : { "text-anchor": "middle", x, y });
    }
    set(node, { class: classes.join(" "), "aria-label": nameOf(step, dropped) });
  }

  /** @param {Layout} layout */
  #drawAxis(layout) {
    this.axis.replaceChildren();
    const every = layout.cellWidth < 30 ? 5 : 1;
    for (let t = 1; t <= this.search.columns; t++) {
      const x = xOf(layout, t);
      this.axis.append(s("line", { class: "column", x1: x, x2: x, y1: layout.top, y2: layout.bottom }));
      if (t === 1 || t % every === 0) {
        this.axis.append(s("text", { class: "axis-label", x, y: 13, "text-anchor": "middle" }, String(t)));
      }
    }
    this.axis.append(s("text", { class: "axis-name", x: 0, y: 13 }, "Step"));
    const rows = layout.cellHeight < 16 ? 4 : 1;
    for (let slot = 0; slot < this.search.n; slot++) {
      if (slot !== 0 && (slot + 1) % rows !== 0) continue;
      const y = yOf(layout, slot);
      this.axis.append(s("text", { class: "axis-label", x: layout.left - 10, y, dy: "0.35em", "text-anchor": "end" }, String(slot + 1)));
    }
  }

  /** @param {Layout} layout */
  #drawAnswers(layout) {
    this.answers.replaceChildren();
    const x = xOf(layout, this.search.columns) + layout.cellWidth / 2 + 4;
    const room = Math.max(4, Math.floor((layout.width - x) / 7.5));
    const best = this.search.result?.answer ?? this.search.distribution[0]?.answer;
    this.search.tips.forEach((tip, slot) => {
      if (tip === null || !isFinished(tip) || layout.cellHeight < 12) return;
      const answer = tip.answer ?? "no answer";
      const shown = answer.length > room ? `${answer.slice(0, room - 1)}…` : answer;
      const kind = `answer${answer === best ? " best" : ""}${layout.cellHeight < 16 ? " small" : ""}`;
      this.answers.append(s("text", { class: kind, x, y: yOf(layout, slot), dy: "0.35em" }, shown));
    });
  }

  /** @param {Event} event */
  #onClick(event) {
    const node = /** @type {Element} */ (event.target).closest("[role=button]");
    const step = node === null ? undefined : stepOf.get(node);
    if (step !== undefined) {
      this.select(step);
      this.#drawnOf(step).node.focus({ preventScroll: true });
    }
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const focused = document.activeElement === null ? undefined : stepOf.get(document.activeElement);
    if (focused === undefined) return;
    const next = event.key === "Enter" || event.key === " " ? focused : neighbour(this.search, focused, event.key);
    if (next === null) return;
    event.preventDefault();
    this.select(next);
    this.#drawnOf(next).node.focus();
  }
}

/** What each step is copied from: to copy is faster than to make. */
const NODE = s("g", { role: "button", tabindex: "-1" }, s("rect"));

/** @type {WeakMap<Element, Step>} */
const stepOf = new WeakMap();

/**
 * The step that an arrow key leads to: along the line of descent, or to the next particle of the column.
 * @param {Search} search @param {Step} from @param {string} key
 * @returns {Step | null}
 */
function neighbour(search, from, key) {
  if (key === "ArrowLeft") return from.parent;
  if (key === "ArrowRight") return from.children.find((child) => child.alive) ?? from.children[0] ?? null;
  const down = key === "ArrowDown";
  if (!down && key !== "ArrowUp") return null;
  const column = search.steps.filter((step) => step.t === from.t && (down ? step.slot > from.slot : step.slot < from.slot));
  return column.sort((a, b) => (down ? a.slot - b.slot : b.slot - a.slot))[0] ?? null;
}

/** @param {number} score @returns {string} two digits; .99 and .01 rather than 1 and 0 unless it is exact */
function rounded(score) {
  const clipped = score > 0 && score < 1 ? Math.min(0.99, Math.max(0.01, score)) : score;
  return clipped.toFixed(2).replace(/^0/, "");
}

/** @param {Step} step @param {Layout} layout @returns {(string | SVGElement)[]} its score, and the beginning of its text where there is room */
function labelOf(step, layout) {
  const score = step.score === null ? "" : rounded(step.score);
  if (!layout.written) return [score];
  const room = Math.floor((layout.cellWidth - 34) / 6.7) - score.length;
  const text = step.text.replace(/\s+/g, " ").trim();
  return [score, s("tspan", { class: "words", dx: score === "" ? 0 : 6 }, text.length > room ? `${text.slice(0, room - 1)}…` : text)];
}

/** @param {Step} step @param {boolean} dropped @returns {string} */
function nameOf(step, dropped) {
  const score = step.score === null ? "not scored" : `score ${step.score.toFixed(2)}`;
  const fate = dropped ? ", dropped" : step.round === null ? "" : `, continued by ${step.continuedBy.length}`;
  const kind = step.carried ? ", finished earlier" : isFinished(step) ? ", finished" : "";
  return `Particle ${step.slot + 1}, step ${step.t}${kind}, ${score}${fate}`;
}

/**
 * Set the attributes that differ: the browser styles an element anew even if it is told what it knows.
 * @param {Element} element @param {Record<string, string | number>} attributes
 */
function set(element, attributes) {
  for (const name in attributes) {
    const value = String(attributes[name]);
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}
