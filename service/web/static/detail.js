/** What is known about one step: its text, its figures, and why it went on or ended. */

import { h } from "./dom.js";
import { rendered } from "./maths.js";
import { percent, short } from "./numbers.js";
import { isFinished, pathTo } from "./search.js";
import { whyOf } from "./why.js";

/** @import { Search, Step } from "./search.js" */
/** @import { Render } from "./maths.js" */

const FATES = { "goes on": "Went on", ended: "Ended here", finished: "Finished", open: "Undecided" };

/**
 * @param {Search} search
 * @param {Step} step
 * @param {Render | null} render
 * @returns {HTMLElement}
 */
export function detailOf(search, step, render) {
  const why = whyOf(search, step);
  const path = pathTo(step);
  const panel = h(
    "div", { class: "detail", role: "group", "aria-label": "The chosen step" },
    h("h3", {}, `Particle ${step.slot + 1}, step ${step.t}`, " ", h("span", { class: `fate fate-${why.fate.replace(" ", "-")}` }, FATES[why.fate])),
    step.text === "" ? h("p", { class: "hint" }, "The text of this step is not recorded.") : rendered(step.text, render),
    h("p", { class: "why" }, why.text),
    figures(step),
  );
  if (step.successor !== null) {
    panel.append(h("p", { class: "eyebrow" }, "Look-ahead: one possible next step"), rendered(step.successor.text, render));
  }
  if (step.tokens !== null) {
    panel.append(h("p", { class: "eyebrow" }, "Tokens, the less probable ones underlined"), h("p", { class: "tokens" }, ...step.tokens.map(token)));
  }
  if (path.length > 1) {
    const before = h("details", {}, h("summary", {}, isFinished(step) ? "The whole solution" : "The solution so far"));
    for (const each of path) before.append(rendered(each.text, render));
    panel.append(before);
  }
  return panel;
}

/** @param {{text: string, logProb: number | null}} one @returns {HTMLElement} */
function token({ text, logProb }) {
  const shown = h("span", { class: "token", title: logProb === null ? "no log probability" : `log probability ${short(logProb)} nats` }, text);
  if (logProb !== null) shown.style.borderColor = `rgb(176 58 46 / ${Math.round(100 * (1 - Math.exp(logProb)))}%)`;
  return shown;
}

/** @param {Step} step @returns {HTMLElement} */
function figures(step) {
  const event = step.round?.event;
  const weight = event?.weights?.[step.slot];
  const probability = event?.probabilities?.[step.slot];
  /** @type {[string, string | null][]} */
  const rows = [
    ["Score", step.score === null ? null : short(step.score)],
    ["Score of the look-ahead", typeof step.successor?.score === "number" ? short(step.successor.score) : null],
    ["Weight", weight === undefined ? null : percent(weight)],
    ["Probability in one draw", probability === undefined ? null : percent(probability)],
    ["Copies", event === undefined ? null : String(step.continuedBy.length)],
    ["Tokens", step.carried ? null : String(step.nTokens)],
    ["Log probability", step.tokens === null ? null : `${short(step.tokens.reduce((sum, token) => sum + (token.logProb ?? 0), 0))} nats`],
    ["Answer", isFinished(step) ? (step.answer ?? "none") : null],
  ];
  const list = h("dl", { class: "figures" });
  for (const [name, value] of rows) if (value !== null) list.append(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  return list;
}
