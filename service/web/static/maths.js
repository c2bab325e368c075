/** Formulas in texts that models write. LaTeX between delimiters becomes MathML, which the server makes; the rest stays text. */

import { h } from "./dom.js";

/**
 * Display or inline formulas, and a box outside of them. Nothing in it backtracks over a line's end. Between single dollars, a
 * formula has no blank space at its ends and no digit follows it, so that "$5 and $12" are prices.
 */
const FORMULA = /\\\[([^]+?)\\\]|\\\(([^]+?)\\\)|\$\$([^$]+)\$\$|(?<!\\)\$(?!\s)([^$\n]*[^$\s\\])\$(?!\d)|(\\boxed\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*\})/g;
const MATHML = "http://www.w3.org/1998/Math/MathML";
const ALLOWED = new Set(
  ("math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot munder mover munderover mtable mtr mtd mstyle " +
    "menclose mpadded mphantom mmultiscripts mprescripts none semantics").split(" "),
);
const KEPT = new Set(["display", "displaystyle", "stretchy", "fence", "form", "mathvariant", "linethickness", "width", "columnalign", "accent", "notation", "minsize", "maxsize", "separator", "movablelimits"]);

/** Limits of the server. */
const MAX_CHARS = 500;
const MAX_FORMULAS = 32;

/** @typedef {(latex: string[]) => Promise<(string | null)[]>} Render */

/** MathML of formulas that were rendered before. @type {Map<string, string | null>} */
const known = new Map();

/**
 * The formulas of a text, in order, without their delimiters.
 * @param {string} text
 * @returns {string[]}
 */
export function formulasOf(text) {
  return [...text.matchAll(FORMULA)].map((match) => latexOf(match));
}

/** @param {Record<string, string>} rendered MathML by LaTeX, from a stored page */
export function remember(rendered) {
  for (const [latex, mathml] of Object.entries(rendered)) known.set(latex, mathml);
}

/**
 * A paragraph with the text, in which formulas appear as soon as they are rendered.
 * @param {string} text
 * @param {Render | null} render null if nothing more can be rendered
 * @returns {HTMLElement}
 */
export function rendered(text, render) {
  const paragraph = h("p", { class: "text" });
  write(paragraph, text);
  const missing = formulasOf(text).filter((latex) => !known.has(latex) && latex.length <= MAX_CHARS).slice(0, MAX_FORMULAS);
  if (missing.length > 0 && render !== null) {
    render(missing).then(
      (found) => {
        missing.forEach((latex, i) => known.set(latex, found[i] ?? null));
        write(paragraph, text);
      },
      () => {}, // the text stays as the model wrote it
    );
  }
  return paragraph;
}

/** @param {HTMLElement} paragraph @param {string} text */
function write(paragraph, text) {
  paragraph.replaceChildren();
  let end = 0;
  for (const match of text.matchAll(FORMULA)) {
    paragraph.append(text.slice(end, match.index));
    const mathml = known.get(latexOf(match));
    paragraph.append((mathml ? parsed(mathml) : null) ?? match[0]);
    end = match.index + match[0].length;
  }
  paragraph.append(text.slice(end));
}

/** @param {RegExpMatchArray} match @returns {string} */
function latexOf(match) {
  return (match[1] ?? match[2] ?? match[3] ?? match[4] ?? match[5] ?? "").trim();
}

/**
 * Elements of MathML that is well-formed; null if there is anything in it but what formulas need.
 * @param {string} mathml
 * @returns {Element | null}
 */
function parsed(mathml) {
  const root = new DOMParser().parseFromString(mathml, "application/xml").documentElement;
  return root.localName === "math" && root.namespaceURI === MATHML ? copy(root) : null;
}

/** @param {Element} element @returns {Element | null} */
function copy(element) {
  if (element.namespaceURI !== MATHML || !ALLOWED.has(element.localName)) return null;
  const made = document.createElementNS(MATHML, element.localName);
  for (const { name, value } of element.attributes) if (KEPT.has(name)) made.setAttribute(name, value);
  for (const child of element.childNodes) {
    const kept = child.nodeType === Node.TEXT_NODE ? child.nodeValue : child instanceof Element ? copy(child) : null;
    if (kept === null) return null;
    made.append(kept);
  }
  return made;
}
