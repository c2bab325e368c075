/** Fields for the options of a tool, from the JSON Schema of its input. What is left empty keeps its default. */

import { h } from "./dom.js";

/**
 * @typedef {{type?: string, enum?: (string | number)[], default?: unknown, description?: string, items?: Property, anyOf?: Property[]}} Property
 * @typedef {{properties: Record<string, Property>, examples: unknown[]}} Schema
 * @typedef {{control: HTMLInputElement | HTMLSelectElement, error: HTMLElement, read: (value: string) => unknown}} Field
 */

export class Options {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    /** @type {Map<string, Field>} */
    this.fields = new Map();
  }

  /** @param {Schema} schema */
  show({ properties }) {
    this.fields.clear();
    this.place.replaceChildren();
    for (const [name, property] of Object.entries(properties)) {
      const made = controlOf(property);
      if (made === null) continue;
      const id = `option-${name}`;
      made.control.id = id;
      made.control.setAttribute("aria-describedby", `${id}-about ${id}-error`);
      const error = h("p", { class: "failure", id: `${id}-error`, role: "alert" });
      this.fields.set(name, { ...made, error });
      this.place.append(h("div", { class: "field option" }, h("label", { for: id }, name), made.control, h("p", { class: "note", id: `${id}-about` }, property.description ?? ""), error));
    }
  }

  /** @returns {Record<string, unknown>} the options that the reader filled in */
  get values() {
    const given = [...this.fields].filter(([, { control }]) => control.value.trim() !== "");
    return Object.fromEntries(given.map(([name, { control, read }]) => [name, read(control.value.trim())]));
  }

  /**
   * Show an error at the option that it is about.
   * @param {string | null} param null clears all errors
   * @param {string} message
   * @returns {boolean} whether there is such an option
   */
  fail(param, message) {
    for (const { control, error } of this.fields.values()) {
      error.textContent = "";
      control.setAttribute("aria-invalid", "false");
    }
    const field = param === null ? undefined : this.fields.get(param.split(".")[0]);
    if (field === undefined) return false;
    field.error.textContent = message;
    field.control.setAttribute("aria-invalid", "true");
    const frame = this.place.closest("details");
    if (frame !== null) frame.open = true;
    field.control.focus();
    return true;
  }
}

/** @param {Property} property @returns {Omit<Field, "error"> | null} null for arrays, which belong into the field of traces */
function controlOf(property) {
  const kinds = (property.anyOf ?? [property]).filter(({ type }) => type !== "null");
  const kind = kinds[0];
  if (kinds.length !== 1 || kind === undefined) return null;
  const usual = property.default === undefined || property.default === null ? "" : String(property.default);
  const values = kind.type === "boolean" ? ["true", "false"] : (kind.enum ?? []).map(String);
  if (values.length > 0) {
    const control = h("select", {}, h("option", { value: "" }, usual === "" ? "default" : `${usual} (default)`));
    control.append(...values.filter((value) => value !== usual).map((value) => h("option", { value }, value)));
    return { control, read: kind.type === "boolean" ? (value) => value === "true" : (value) => value };
  }
  if (kind.type === "number" || kind.type === "integer") {
    return { control: h("input", { type: "number", step: "any", placeholder: usual }), read: Number };
  }
  if (kind.type === "string") return { control: h("input", { type: "text", placeholder: usual }), read: (value) => value };
  if (kind.type === "array" && (kind.items?.type === "string" || kind.items?.enum !== undefined)) {
    const read = (/** @type {string} */ value) => value.split(",").map((part) => part.trim());
    return { control: h("input", { type: "text", placeholder: "several, with commas between them" }), read };
  }
  return null;
}
