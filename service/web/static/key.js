/** The API key of this tab. It is kept in the tab's session storage alone, and is gone when the tab is closed. */

import { byId } from "./dom.js";

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
  const dialog = byId("key-dialog", HTMLDialogElement);
  const field = byId("key", HTMLInputElement);
  byId("key-why", HTMLElement).textContent = why;
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const given = dialog.returnValue === "use" && field.value.trim() !== "";
        if (given) sessionStorage.setItem(NAME, field.value.trim());
        field.value = "";
        resolve(given);
      },
      { once: true },
    );
  });
}
