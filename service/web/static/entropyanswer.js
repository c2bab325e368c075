/** The answer of a tool: what to conclude, its tables and its picture. */

import { h } from "./dom.js";
import { tableOf } from "./tables.js";

/** @import { Figures } from "./tables.js" */

/**
 * @typedef {Figures & {title: string}} ToolTable
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
      ...tables.map((table) => h("section", {}, h("h3", {}, table.title), tableOf(table.title, table))),
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
