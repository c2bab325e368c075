/** The server's public API. Addresses are relative to this file, so that pages work behind a proxy with a prefix. */

import { askForKey, keyHeader } from "./key.js";
import { dataOf } from "./sse.js";

/** @import { KeptSearch, MethodList, SearchEvent, SearchList, SolveRequest } from "./types.js" */

/** Address of the server. */
export const ROOT = new URL("../", import.meta.url);

/** A refusal by the server, or a connection that broke. */
export class ApiError extends Error {
  /** @param {string} message @param {string | null} [param] the field of the request that it is about */
  constructor(message, param = null) {
    super(message);
    this.param = param;
  }
}

/** @returns {Promise<MethodList>} what this server can run, once its models are loaded */
export async function methods() {
  for (;;) {
    const response = await send("methods");
    if (response.ok) return response.json();
    if (response.status !== 503) throw new ApiError(await messageOf(response));
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("retry-after") ?? 1)));
  }
}

/**
 * @param {string} path
 * @param {unknown} [body] sent as JSON; without it the request is a GET
 * @returns {Promise<any>} what the route responds
 */
export async function answerOf(path, body) {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await sent(path, body === undefined ? {} : init)).json();
}

/**
 * The events of a search, as they happen.
 * @param {SolveRequest} request
 * @param {AbortSignal} signal ends the search
 * @returns {AsyncGenerator<SearchEvent, void, void>}
 */
export async function* solve(request, signal) {
  const body = JSON.stringify({ ...request, stream: true, return_particles: true, logprobs: true });
  const response = await send("solve", { method: "POST", headers: { "content-type": "application/json" }, body, signal });
  if (!response.ok || response.body === null) throw new ApiError(await messageOf(response));
  for await (const data of dataOf(response.body)) yield JSON.parse(data);
}

/**
 * Kept searches, newest first.
 * @param {Record<string, string>} query
 * @returns {Promise<SearchList>}
 */
export async function searches(query) {
  return (await sent(`searches?${new URLSearchParams(query)}`)).json();
}

/** @param {string} id @returns {Promise<KeptSearch>} */
export async function keptSearch(id) {
  return (await sent(`searches/${encodeURIComponent(id)}`)).json();
}

/** @param {string} id */
export async function deleteSearch(id) {
  await sent(`searches/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** @param {Record<string, string>} query @returns {Promise<Blob>} kept searches as JSON Lines */
export async function exported(query) {
  return (await sent(`searches/export?${new URLSearchParams(query)}`)).blob();
}

/**
 * Cancel a search on the server, also where a proxy keeps its connection open.
 * @param {string} id
 */
export async function cancel(id) {
  await fetch(new URL(`solve/${encodeURIComponent(id)}`, ROOT), { method: "DELETE", headers: keyHeader() }).catch(() => {});
}

/**
 * @param {string[]} texts LaTeX
 * @returns {Promise<(string | null)[]>} each as MathML; null for one that cannot be rendered
 */
export async function mathml(texts) {
  const response = await fetch(new URL("mathml", ROOT), {
    method: "POST",
    headers: { "content-type": "application/json", ...keyHeader() },
    body: JSON.stringify({ latex: texts }),
  });
  return response.ok ? (await response.json()).mathml : texts.map(() => null);
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} what the server responds to a key that it knows, or to none where it needs none
 */
async function send(path, init = {}) {
  for (;;) {
    const headers = { accept: "application/json", ...init.headers, ...keyHeader() };
    const response = await fetch(new URL(path, ROOT), { ...init, headers });
    if (response.status !== 401) return response;
    if (!(await askForKey(await messageOf(response)))) throw new ApiError("This server needs an API key. Reload the page to enter one.");
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} the response, which is no refusal
 */
async function sent(path, init) {
  const response = await send(path, init);
  if (response.ok) return response;
  const { message, param } = await errorOf(response);
  throw new ApiError(message, param);
}

/** @param {Response} response @returns {Promise<string>} the message of an error */
async function messageOf(response) {
  return (await errorOf(response)).message;
}

/** @param {Response} response @returns {Promise<{message: string, param: string | null}>} */
async function errorOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return { message: `The server responded with status ${response.status} and no explanation.`, param: null };
  }
}
