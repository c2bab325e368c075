/** Two methods on the same problems: how often they disagree, and by how much their accuracies differ. */

import { h } from "./dom.js";
import { counted } from "./numbers.js";

/**
 * Method `b` compared with `a`; `written` is the difference in points with its interval. Nothing here computes these figures anew.
 * @typedef {{a: string, b: string, budget: number, n_better: number, n_worse: number, n_equal: number, written: string,
 *   verdict: "tie" | "better" | "worse"}} Pair
 */

/** @type {Record<Pair["verdict"], string>} */
const VERDICTS = { tie: "a tie, because the interval contains zero", better: "better", worse: "worse" };

/**
 * @param {Pair[]} pairs
 * @param {string} one
 * @param {string} other
 * @param {number} budget
 * @returns {Pair | undefined} the two methods in either order
 */
export function pairOf(pairs, one, other, budget) {
  return pairs.find(({ a, b, budget: n }) => n === budget && ((a === one && b === other) || (a === other && b === one)));
}

/** @param {Pair} pair @returns {HTMLElement} */
export function pairingOf({ a, b, n_better, n_worse, n_equal, written, verdict }) {
  const counts = `Compared with ${a}, ${b} is right more often on ${counted(n_better, "problem")}, less often on ${n_worse}, and equally often on ${n_equal}.`;
  const gap = `${b} minus ${a} in points, with the 95 % interval: ${written}, ${VERDICTS[verdict]}.`;
  return h("div", { class: "pairing" }, h("p", {}, counts), h("p", {}, gap));
}
