/** The API key of this tab. It is kept in the tab's session storage alone, and is gone when the tab is closed. */

import { h } from "./dom.js";

const NAME = "epf-key";

/** @returns {Record<string, string>} the header that carries the key; none without a key */
export function keyHeader() {
  const key = sessionStorage.getItem(NAME);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/**
 * Ask for the key in a dialog.
 * @param {string} why shown above the field
 * @returns {Promise<boolean>} whether a key was given
 */
export function askForKey(why) {
  const field = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false" });
  const dialog = h(
    "dialog", { id: "key-dialog", "aria-labelledby": "key-title" },
    h(
      "form", { method: "dialog" },
      h("h2", { id: "key-title" }, "API key"),
      h("p", {}, why),
      h("label", { for: "key" }, "Key"),
      field,
      h("p", { class: "note" }, "The key is kept for this tab alone, until you close it."),
      h(
        "div", { class: "dialog-actions" },
        h("button", { value: "use", class: "primary" }, "Use this key"),
        h("button", { value: "cancel", class: "quiet", formnovalidate: true }, "Cancel"),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "use" && field.value.trim() !== "";
      if (given) sessionStorage.setItem(NAME, field.value.trim());
      dialog.remove();
      resolve(given);
    });
  });
}
