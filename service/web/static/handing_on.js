/** What a reader takes away from a search: a file, or its request as code. */

import { ROOT } from "./api.js";
import { h } from "./dom.js";
import { keyHeader } from "./key.js";
import { snippetsOf } from "./snippets.js";

/** @import { SolveRequest, Stored } from "./types.js" */

/**
 * Save a search as `epf view` reads it.
 * @param {Stored} stored
 */
export function saveSearch(stored) {
  const { method, seed } = stored.request ?? {};
  saveFile(`search-${method}-${seed}.json`, new Blob([JSON.stringify(stored, null, 1)], { type: "application/json" }));
}

/** @param {string} name @param {Blob} content */
export function saveFile(name, content) {
  const address = URL.createObjectURL(content);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {SolveRequest} request */
export function showCode(request) {
  const base = ROOT.href.replace(/\/$/, "");
  const keyed = Object.keys(keyHeader()).length > 0;
  const dialog = h(
    "dialog", { id: "code-dialog", "aria-labelledby": "code-title" },
    h(
      "form", { method: "dialog" },
      h("header", { class: "dialog-head" }, h("h2", { id: "code-title" }, "This search from code"), h("button", { class: "quiet" }, "Close")),
    ),
    h(
      "div", { id: "code" },
      ...snippetsOf(request, base, keyed).map(({ name, code }) => {
        const copy = h("button", { type: "button", class: "quiet", "aria-label": `Copy as ${name}`, click: () => copyText(code, copy) }, "Copy");
        return h("section", {}, h("header", {}, h("h3", {}, name), copy), h("pre", { tabindex: "0" }, code));
      }),
    ),
  );
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

/** @param {string} text @param {HTMLButtonElement} button */
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
}
