/** A search on its way to the entropy tools, in the tab's session storage. It is taken once. */

import { ROOT } from "./api.js";
import { byId, h } from "./dom.js";

/** @import { Result } from "./types.js" */

const SEARCH = "epf-search";
const TOO_LARGE = "This search is too large for the browser to hand over. Download it, and drop the file on the page of the entropy tools.";

/** @param {string} problem @param {Result} result @returns {HTMLButtonElement} opens the entropy tools with this search */
export function entropyButton(problem, result) {
  const open = () => {
    try {
      sessionStorage.setItem(SEARCH, JSON.stringify({ problem, ...result }));
      location.assign(new URL("entropy-tools", ROOT));
    } catch {
      byId("page-alert", HTMLElement).textContent = TOO_LARGE;
    }
  };
  return h("button", { type: "button", class: "quiet", click: open }, "Entropy");
}

/** @returns {string | null} the search as JSON, if there is one */
export function taken() {
  const found = sessionStorage.getItem(SEARCH);
  sessionStorage.removeItem(SEARCH);
  return found;
}
