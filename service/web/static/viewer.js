/** A page that shows one stored search, which is part of it. */

import { byId, h } from "./dom.js";
import { remember } from "./maths.js";
import { RunView } from "./run.js";
import { eventsOfResult } from "./stored.js";

/** @import { Result, Stored } from "./types.js" */

/** @type {Stored & {result?: Result}} */
const stored = JSON.parse(byId("stored", HTMLElement).textContent ?? "{}");
remember(stored.maths ?? {});
const events = stored.result === undefined ? stored.events : eventsOfResult(stored.result);
const started = events.find((event) => event.type === "started");
const view = new RunView(started?.method ?? "Search", null);
if (stored.request?.problem) byId("runs", HTMLElement).append(h("p", { class: "problem" }, stored.request.problem));
byId("runs", HTMLElement).append(view.element);
for (const event of events) view.take(event);
view.end(view.search.result === null ? "stopped" : "ended", null);
