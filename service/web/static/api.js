/** The server's public API. Addresses are relative to the page, so that it works behind a proxy with a prefix. */

import { askForKey, keyHeader } from "./key.js";
import { dataOf } from "./sse.js";

/** @import { MethodList, SearchEvent, SolveRequest } from "./types.js" */

/** A refusal by the server, or a connection that broke. */
export class ApiError extends Error {}

/** @returns {Promise<MethodList>} what this server can run, once its models are loaded */
export async function methods() {
  for (;;) {
    const response = await fetch("methods", { headers: keyHeader() });
    if (response.ok) return response.json();
    if (response.status === 401) {
      if (!(await askForKey(await messageOf(response)))) throw new ApiError("This server needs an API key. Reload the page to enter one.");
    } else if (response.status === 503) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("retry-after") ?? 1)));
    } else {
      throw new ApiError(await messageOf(response));
    }
  }
}

/**
 * The events of a search, as they happen.
 * @param {SolveRequest} request
 * @param {AbortSignal} signal ends the search
 * @returns {AsyncGenerator<SearchEvent, void, void>}
 */
export async function* solve(request, signal) {
  const body = JSON.stringify({ ...request, stream: true, return_particles: true, logprobs: true });
  const response = await fetch("solve", {
    method: "POST",
    headers: { "content-type": "application/json", ...keyHeader() },
    body,
    signal,
  });
  if (response.status === 401 && (await askForKey(await messageOf(response)))) {
    yield* solve(request, signal);
    return;
  }
  if (!response.ok || response.body === null) throw new ApiError(await messageOf(response));
  for await (const data of dataOf(response.body)) yield JSON.parse(data);
}

/**
 * Cancel a search on the server, also where a proxy keeps its connection open.
 * @param {string} id
 */
export async function cancel(id) {
  await fetch(`solve/${encodeURIComponent(id)}`, { method: "DELETE", headers: keyHeader() }).catch(() => {});
}

/**
 * @param {string[]} texts LaTeX
 * @returns {Promise<(string | null)[]>} each as MathML; null for one that cannot be rendered
 */
export async function mathml(texts) {
  const response = await fetch("mathml", {
    method: "POST",
    headers: { "content-type": "application/json", ...keyHeader() },
    body: JSON.stringify({ latex: texts }),
  });
  return response.ok ? (await response.json()).mathml : texts.map(() => null);
}

/**
 * @param {Response} response
 * @returns {Promise<string>} the message of an error
 */
async function messageOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server responded with status ${response.status} and no explanation.`;
  }
}
