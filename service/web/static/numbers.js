/** Numbers as a reader expects them. */

/** @param {number} share in [0, 1] @returns {string} a percentage; neither 0 nor 100 unless it is exact */
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "below 0.1 %";
  if (value < 100 && value > 99.9) return "above 99.9 %";
  const digits = (value > 0 && value < 10) || (value > 90 && value < 100) ? 1 : 0;
  return `${value.toFixed(digits)} %`;
}

/** @param {number} value @returns {string} three significant digits, without trailing zeros */
export function short(value) {
  return String(Number(value.toPrecision(3)));
}

/** @param {number} count @param {string} one @param {string} [several] @returns {string} such as "1 step" or "3 steps" */
export function counted(count, one, several = `${one}s`) {
  return `${count} ${count === 1 ? one : several}`;
}

/** @param {string[]} words @returns {string} such as "1, 2 and 3" */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
