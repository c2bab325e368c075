/** The field of traces: pasted, dropped, opened from a file, handed over by a search, or an example. */

import { ROOT } from "./api.js";
import { byId } from "./dom.js";

export class Traces {
  /** @param {() => string} example */
  constructor(example) {
    this.field = byId("file", HTMLTextAreaElement);
    this.loaded = byId("loaded", HTMLElement);
    this.picker = byId("picker", HTMLInputElement);
    /** The content of a file, which the field does not show: it may be large. @type {string | null} */
    this.content = null;
    byId("example", HTMLButtonElement).addEventListener("click", () => {
      this.remove();
      this.field.value = example();
    });
    byId("example-traces", HTMLButtonElement).addEventListener("click", async () => {
      const response = await fetch(new URL("web/traces.jsonl", ROOT));
      this.remove();
      if (response.ok) this.field.value = await response.text();
      else this.fail(`The server responded with status ${response.status}: reload the page.`);
    });
    byId("open", HTMLButtonElement).addEventListener("click", () => this.picker.click());
    byId("remove", HTMLButtonElement).addEventListener("click", () => this.remove());
    this.picker.addEventListener("change", () => {
      this.#read(this.picker.files);
      this.picker.value = "";
    });
    const whole = byId("ask", HTMLFormElement);
    whole.addEventListener("dragover", (event) => event.preventDefault());
    whole.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#read(event.dataTransfer?.files ?? null);
    });
  }

  /** @returns {string} */
  get text() {
    return this.content ?? this.field.value;
  }

  /** @param {string} name @param {string} content */
  load(name, content) {
    this.content = content;
    byId("loaded-name", HTMLElement).textContent = `${name}, ${sizeOf(content.length)}`;
    this.#show();
    byId("remove", HTMLButtonElement).focus();
  }

  /** Back to the field. */
  remove() {
    this.content = null;
    this.#show();
    this.field.focus();
  }

  /** @param {boolean} readsTraces whether the tool reads traces, or arrays only */
  describe(readsTraces) {
    const traces = "Paste, drop or open traces in JSON Lines, a search that the page saved, results with their particles, responses of a server, or one object with arrays.";
    byId("example-traces", HTMLElement).hidden = !readsTraces;
    byId("reads", HTMLElement).textContent = readsTraces ? traces : "This tool reads arrays: paste, drop or open one JSON object, as in the example.";
  }

  /** @param {string} message empty if nothing is wrong */
  fail(message) {
    byId("file-error", HTMLElement).textContent = message;
    this.field.setAttribute("aria-invalid", String(message !== ""));
    if (message !== "" && this.content === null) this.field.focus();
  }

  #show() {
    this.field.hidden = this.content !== null;
    this.loaded.hidden = this.content === null;
    this.fail("");
  }

  /** @param {FileList | null} files */
  async #read(files) {
    const file = files?.[0];
    if (file !== undefined) this.load(file.name, await file.text());
  }
}

/** @param {number} length @returns {string} */
function sizeOf(length) {
  return length < 1024 * 1024 ? `${Math.ceil(length / 1024)} KiB` : `${(length / 1024 / 1024).toFixed(1)} MiB`;
}
