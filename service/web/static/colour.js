/** Colours of scores. White text on each of them has a contrast of at least 4.5, and each stands out from both backgrounds. */

const STOPS = /** @type {const} */ ([
  [0, [176, 58, 46]],
  [0.5, [143, 101, 18]],
  [1, [22, 118, 107]],
]);

/** @param {number} score in [0, 1] @returns {string} from red at 0 over ochre to green at 1 */
export function colourOf(score) {
  const x = Math.min(1, Math.max(0, score));
  const upper = x <= 0.5 ? 1 : 2;
  const [[from, low], [to, high]] = [STOPS[upper - 1], STOPS[upper]];
  const share = (x - from) / (to - from);
  return `rgb(${low.map((part, i) => Math.round(part + share * (high[i] - part))).join(" ")})`;
}
