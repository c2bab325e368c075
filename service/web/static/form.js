/** The form that asks a problem: its examples, its methods, and the requests that it describes. */

import { byId, h } from "./dom.js";

/** @import { Method, MethodList, SolveRequest } from "./types.js" */

const MOST_METHODS = 4;

/** Problems of kinds that the embedded models know. */
const EXAMPLES = [
  "There are 45 birds on a wire. 17 fly away. How many are left?",
  "Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?",
  "Mia has 3 boxes with 8 pencils each. She gives 5 pencils to Ben. She buys 14 more pencils. How many pencils does she have?",
];

export class Form {
  /** @param {MethodList} listed */
  constructor(listed) {
    this.listed = listed;
    this.element = byId("ask", HTMLFormElement);
    this.problem = byId("problem", HTMLTextAreaElement);
    this.particles = byId("particles", HTMLInputElement);
    this.lookahead = byId("lookahead", HTMLSelectElement);
    this.seed = byId("seed", HTMLInputElement);
    this.rows = byId("methods", HTMLElement);
    this.more = byId("add-method", HTMLButtonElement);
    this.particles.max = String(listed.limits.max_particles);
    byId("summary", HTMLElement).textContent = Object.values(listed.models).join(" with ");
    const examples = byId("examples", HTMLElement);
    EXAMPLES.forEach((example, i) => {
      const use = () => {
        this.problem.value = example;
        this.problem.focus();
      };
      examples.append(h("button", { type: "button", class: "chip", title: example, click: use }, ["Birds", "Apples", "Pencils"][i] ?? ""));
    });
    this.more.addEventListener("click", () => this.addMethod());
    this.addMethod(listed.default);
    this.particles.value = String(this.#method(listed.default)?.defaults.n_particles ?? 8);
  }

  /** Add a method to compare with. @param {string} [name] */
  addMethod(name) {
    const taken = new Set(this.methods);
    const chosen = name ?? this.listed.methods.find((method) => !taken.has(method.name))?.name ?? this.listed.default;
    const select = h("select", { "aria-label": "Method", change: () => this.#update() });
    for (const method of this.listed.methods) select.append(h("option", { value: method.name, title: method.summary }, method.name));
    select.value = chosen;
    const remove = h("button", { type: "button", class: "quiet remove", "aria-label": "Remove this method", click: () => this.#remove(row) }, "×");
    const row = h("span", { class: "method" }, select, remove);
    this.rows.append(row);
    this.#update();
  }

  /** @returns {string[]} names of the chosen methods */
  get methods() {
    return [...this.rows.querySelectorAll("select")].map((select) => select.value);
  }

  /**
   * One request for each chosen method, all with the same seed.
   * @returns {SolveRequest[]}
   */
  requests() {
    const seed = this.seed.value.trim() === "" ? randomSeed() : Number(this.seed.value);
    return this.methods.map((name) => {
      const reads = new Set(this.#method(name)?.options ?? []);
      return {
        problem: this.problem.value.trim(),
        method: name,
        n_particles: name === "sample" ? 1 : Number(this.particles.value),
        ...(reads.has("lookahead") && this.lookahead.value !== "none" ? { lookahead: this.lookahead.value } : {}),
        seed,
      };
    });
  }

  /** @param {Element} row */
  #remove(row) {
    row.remove();
    this.#update();
    this.more.focus();
  }

  #update() {
    const names = this.methods;
    this.rows.classList.toggle("several", names.length > 1);
    this.more.hidden = names.length >= MOST_METHODS;
    const summaries = byId("method-summary", HTMLElement);
    summaries.replaceChildren(...names.map((name) => h("span", {}, `${name}: ${this.#method(name)?.summary ?? ""}`)));
    this.lookahead.disabled = !names.some((name) => this.#method(name)?.options.includes("lookahead"));
    if (this.lookahead.disabled) this.lookahead.value = "none";
  }

  /** @param {string} name @returns {Method | undefined} */
  #method(name) {
    return this.listed.methods.find((method) => method.name === name);
  }
}

/** @returns {number} one that JSON represents exactly */
function randomSeed() {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 2 ** 21) * 2 ** 32 + low;
}
