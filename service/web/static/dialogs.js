/** Questions that a reader answers before something is lost. */

import { h } from "./dom.js";

/**
 * Ask whether to delete a search.
 * @param {string} problem
 * @returns {Promise<boolean>}
 */
export function confirmDeletion(problem) {
  const dialog = h(
    "dialog", { id: "delete-dialog", "aria-labelledby": "delete-title" },
    h(
      "form", { method: "dialog" },
      h("h2", { id: "delete-title" }, "Delete this search?"),
      h("p", { class: "excerpt" }, problem),
      h("p", { class: "note" }, "It is deleted from the server for good, and its address leads nowhere."),
      h(
        "div", { class: "dialog-actions" },
        h("button", { value: "delete", class: "primary" }, "Delete"),
        h("button", { value: "cancel", class: "quiet", autofocus: true }, "Cancel"),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "delete");
    });
  });
}
