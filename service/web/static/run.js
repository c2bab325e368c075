/** One search on the page: its picture, its answers, the chosen step, and what can be done with it. */

import { answersOf } from "./answers.js";
import { detailOf } from "./detail.js";
import { h } from "./dom.js";
import { Graph } from "./graph.js";
import { counted, short } from "./numbers.js";
import { apply, isFinished, newSearch } from "./search.js";

/** @import { Render } from "./maths.js" */
/** @import { Step } from "./search.js" */
/** @import { SearchEvent, Stored } from "./types.js" */

/** A drawing is followed by this many times its own duration in which the page only listens to its reader. */
const SHARE = 3;

export class RunView {
  /**
   * @param {string} title
   * @param {Render | null} render
   */
  constructor(title, render) {
    this.search = newSearch();
    /** @type {SearchEvent[]} */
    this.events = [];
    /** @type {"running" | "stopped" | "ended"} */
    this.state = "running";
    this.render = render;
    this.graph = new Graph(this.search, (step) => {
      this.#showStep(step);
      this.detail.scrollIntoView({ block: "nearest" });
    });
    this.status = h("p", { class: "status", role: "status" }, "Starting");
    this.actions = h("div", { class: "actions" });
    this.answers = h("div");
    this.detail = h("div", { class: "detail-place" }, hint());
    this.failure = h("div", { role: "alert" });
    this.scroll = h("div", { class: "scroll" }, this.graph.svg);
    this.body = h("div", { class: "run-body" }, h("div", { class: "picture" }, this.scroll, legend()), h("div", { class: "side" }, this.answers, this.detail));
    this.element = h(
      "article", { class: "run", "aria-label": title },
      h("header", { class: "run-head" }, h("h2", {}, title), this.status, this.actions),
      this.failure,
      this.body,
    );
    this.#frame = 0;
    new ResizeObserver(() => this.graph.resize(this.scroll.clientWidth)).observe(this.scroll);
    this.#draw();
  }

  /** @type {number} */
  #frame;
  /** Time before which a running search is not drawn again. */
  #readyAt = 0;
  /** What the answers were drawn from. @type {unknown[]} */
  #answered = [];
  #columns = -1;
  /** @type {Step | null} */
  #chosen = null;

  /** @param {SearchEvent} event */
  take(event) {
    this.events.push(event);
    apply(this.search, event);
    this.#later();
  }

  /**
   * The search is over.
   * @param {"stopped" | "ended"} state
   * @param {string | null} failure why there is no result
   */
  end(state, failure) {
    this.state = state;
    if (failure !== null) this.search.error = failure;
    this.#later();
  }

  /** @param {Omit<Stored, "events">} about @returns {Stored} everything that the page knows, to keep in a file */
  stored(about) {
    return { ...about, events: this.events };
  }

  #later() {
    if (this.#frame !== 0) return;
    const wait = this.state === "running" ? this.#readyAt - performance.now() : 0;
    const draw = () => {
      this.#frame = requestAnimationFrame(() => this.#draw());
    };
    if (wait > 0) this.#frame = setTimeout(draw, wait);
    else draw();
  }

  #draw() {
    this.#frame = 0;
    const start = performance.now();
    const { search } = this;
    const { columns } = search;
    this.graph.running = this.state === "running";
    if (this.graph.available === 0) this.graph.available = this.scroll.clientWidth; // else all of the first picture would be drawn twice
    this.graph.draw();
    const answers = [search.distribution, search.confidence, search.result, this.state];
    if (answers.some((part, i) => part !== this.#answered[i])) this.answers.replaceChildren(answersOf(search, this.state));
    this.#answered = answers;
    if (this.#chosen !== null && this.state === "running") this.#showStep(this.#chosen);
    const line = statusOf(this);
    if (this.status.textContent !== line) this.status.textContent = line;
    this.element.dataset.state = this.state;
    this.body.hidden = search.n === 0 && this.state !== "running";
    if (search.error !== null && this.failure.childElementCount === 0) this.failure.append(h("p", { class: "failure" }, search.error));
    if (columns !== this.#columns || this.state !== "running") {
      this.#columns = columns;
      const scrolls = this.scroll.scrollWidth > this.scroll.clientWidth;
      if (scrolls) this.scroll.setAttribute("tabindex", "0");
      else this.scroll.removeAttribute("tabindex");
      if (scrolls && this.state === "running") this.scroll.scrollLeft = this.scroll.scrollWidth;
    }
    // The frame that follows paints what was drawn: the time until then is the cost of a drawing.
    requestAnimationFrame((now) => {
      this.#readyAt = now + SHARE * Math.max(0, now - start);
    });
  }

  /** @param {Step} step */
  #showStep(step) {
    const open = this.detail.querySelector("details")?.open ?? false;
    this.#chosen = step;
    this.detail.replaceChildren(detailOf(this.search, step, this.render));
    const details = this.detail.querySelector("details");
    if (details !== null) details.open = open;
    this.detail.classList.add("chosen");
  }
}

/** @param {RunView} view @returns {string} */
function statusOf({ search, state }) {
  const { n, columns, rounds } = search;
  if (n === 0) return state === "running" ? "Starting" : "Not started";
  const finished = search.tips.filter((tip) => tip !== null && isFinished(tip)).length;
  const newest = rounds.at(-1)?.event;
  const parts = [
    state === "running" ? `Step ${Math.max(columns, 1)}` : `${state === "stopped" ? "Stopped after" : "Done in"} ${counted(columns, "step")}`,
    `${finished} of ${counted(n, "particle")} finished`,
  ];
  if (newest !== undefined && state === "running") parts.push(`ESS ${short(newest.ess)}`);
  return parts.join(" · ");
}

/** @returns {HTMLElement} */
function hint() {
  return h("p", { class: "hint" }, "Choose a step to see its text, its figures, and why it went on or ended.");
}

/** @returns {HTMLElement} */
function legend() {
  return h(
    "ul", { class: "legend", "aria-label": "Legend" },
    h("li", {}, h("span", { class: "swatch scale" }), "score from 0 to 1"),
    h("li", {}, h("span", { class: "swatch hollow" }), "dropped"),
    h("li", {}, h("span", { class: "swatch square" }), "finished"),
    h("li", {}, h("span", { class: "swatch dashes" }), "half of the particles"),
  );
}
