/** The answer of a tool: what to conclude, its tables and its picture. */

import { h } from "./dom.js";

/**
 * @typedef {string | number | boolean | null} Value
 * @typedef {{title: string, header: string[], rows: Value[][]}} ToolTable
 * @typedef {{conclusion: string, warnings: string[], tables: ToolTable[], picture: string | null}} ToolAnswer
 */

/** @param {HTMLElement} place @param {string} question @param {ToolAnswer} answer */
export function showAnswer(place, question, { conclusion, warnings, tables, picture }) {
  place.replaceChildren(
    h(
      "article", { class: "tool-answer", "aria-label": "Answer" },
      h("p", { class: "note" }, question),
      h("h2", {}, conclusion),
      ...warnings.map((warning) => h("p", { class: "caveat" }, warning)),
      picture === null ? h("p", { class: "note" }, "This server draws no pictures: its extra `plots` is not installed.") : drawing(picture, conclusion),
      ...tables.map(figures),
    ),
  );
}

/** @param {ToolTable} table @returns {HTMLElement} */
function figures({ title, header, rows }) {
  const numeric = header.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const cell = (/** @type {Value} */ value, /** @type {number} */ i) => h("td", { class: numeric[i] ? "number" : null }, written(value));
  return h(
    "section", {},
    h("h3", {}, title),
    h(
      "div", { class: "table-frame", tabindex: "0", role: "group", "aria-label": title },
      h(
        "table", {},
        h("thead", {}, h("tr", {}, ...header.map((name, i) => h("th", { scope: "col", class: numeric[i] ? "number" : null }, name)))),
        h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map(cell)))),
      ),
    ),
  );
}

/** @param {string} picture PNG in base64 @param {string} conclusion @returns {HTMLElement} */
function drawing(picture, conclusion) {
  const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  const image = h("img", { src: address, alt: `Picture of the answer. ${conclusion} The tables have its figures.`, load: () => URL.revokeObjectURL(address) });
  return h("div", { class: "drawing" }, image);
}

/** @param {Value} value @returns {string} with four significant digits */
function written(value) {
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);
}
