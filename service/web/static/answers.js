/** The answers and their shares while they grow; at the end the answer, its confidence and what to doubt. */

import { h } from "./dom.js";
import { counted, percent } from "./numbers.js";

/** @import { Search } from "./search.js" */

const SHOWN = 6;

/** The page asks for log probabilities by itself; where there are none it shows none. */
const ASKED_BY_PAGE = "logprobs_missing";

/** The warning that the solutions which won the vote state that the problem lacks information. */
const NOT_ENOUGH = "not_enough_information";

/** @type {Record<string, string>} */
const REASONS = {
  max_steps: "the maximum number of steps",
  max_tokens: "the maximum length of a particle",
  deadline: "the time limit",
  budget: "the limit of tokens",
  context: "the model's context",
  model_failed: "a model that failed",
};

/**
 * @param {Search} search
 * @param {"running" | "stopped" | "ended"} state
 * @returns {HTMLElement}
 */
export function answersOf(search, state) {
  const { result } = search;
  const panel = h("div", { class: "answers-panel", role: "group", "aria-label": "Answers" });
  if (result !== null) {
    panel.append(
      h("p", { class: "eyebrow" }, "Answer"),
      h("p", { class: "the-answer" }, result.answer ?? (result.warnings.some(({ code }) => code === NOT_ENOUGH) ? "Not enough information" : "No answer")),
      confidenceOf(result.confidence),
    );
    if (result.stop_reason !== "finished") {
      panel.append(h("p", { class: "note" }, `Cut short by ${REASONS[result.stop_reason] ?? result.stop_reason}: this is the best answer so far.`));
    }
    for (const warning of result.warnings.filter(({ code }) => code !== ASKED_BY_PAGE)) panel.append(h("p", { class: "note warning" }, warning.message));
  } else {
    const leader = search.distribution[0];
    panel.append(
      h("p", { class: "eyebrow" }, state === "running" ? "Leading answer" : "Leading answer when it ended"),
      h("p", { class: "the-answer" }, leader?.answer ?? "None yet"),
    );
    if (search.confidence !== null) panel.append(confidenceOf(search.confidence));
  }
  if (search.distribution.length > 0) {
    const list = h("ul", { class: "shares" });
    for (const share of search.distribution.slice(0, SHOWN)) {
      list.append(
        h(
          "li", {},
          h("span", { class: "share-answer" }, share.answer),
          h("span", { class: "share-value" }, `${percent(share.probability)}, ${counted(share.n_particles, "particle")}`),
          bar(share.probability, `Share of ${share.answer}`),
        ),
      );
    }
    const more = search.distribution.length - SHOWN;
    panel.append(h("p", { class: "eyebrow" }, "Shares of the vote"), list);
    if (more > 0) panel.append(h("p", { class: "note" }, `and ${counted(more, "more answer")}`));
  }
  if (result !== null) {
    const { usage } = result;
    panel.append(
      h("p", { class: "cost" }, `${counted(usage.generated_tokens, "token")}${usage.total_s === null ? "" : ` in ${usage.total_s.toFixed(1)} s`}, seed ${result.seed}`),
    );
  }
  return panel;
}

/** @param {number} confidence @returns {HTMLElement} */
function confidenceOf(confidence) {
  return h("div", { class: "confidence" }, h("span", {}, "Confidence"), h("strong", {}, percent(confidence)), bar(confidence, "Confidence"));
}

/** @param {number} share @param {string} name @returns {HTMLElement} */
function bar(share, name) {
  const inner = h("span", { class: "bar-fill" });
  inner.style.inlineSize = `${100 * share}%`;
  return h("span", { class: "bar", role: "img", "aria-label": `${name}: ${percent(share)}` }, inner);
}
