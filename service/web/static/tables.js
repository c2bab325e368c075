/** Tables of figures, each in a frame that scrolls. */

import { h } from "./dom.js";

/**
 * @typedef {string | number | boolean | null} Value
 * @typedef {{header: string[], rows: Value[][]}} Figures
 */

/** @param {string} label @param {Figures} figures @returns {HTMLElement} */
export function tableOf(label, { header, rows }) {
  const sides = header.map((_, i) => (rows.some((row) => typeof row[i] === "number") ? "number" : null));
  const head = h("tr", {}, ...header.map((name, i) => h("th", { scope: "col", class: sides[i] }, name)));
  const lines = rows.map((row) => h("tr", {}, ...row.map((value, i) => h("td", { class: sides[i] }, shownValue(value)))));
  return h("div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": label }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines)));
}

/** @param {Value} value @returns {string} with four significant digits */
function shownValue(value) {
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);
}
