/** Effective sample size, entropy and temperature of each round, below the steps and on the same axis. */

import { s } from "./dom.js";
import { xOf } from "./layout.js";
import { short } from "./numbers.js";

/** @import { Layout } from "./layout.js" */
/** @import { Search } from "./search.js" */
/** @import { Resampled } from "./types.js" */

/**
 * @typedef {{name: string, short: string, unit: string, value: (round: Resampled) => number, range: (search: Search) => [number, number],
 *   mark: ((search: Search) => number) | null}} Lane
 */

/** @type {Lane[]} */
const LANES = [
  { name: "Effective sample size", short: "ESS", unit: "particles", value: (round) => round.ess, range: (search) => [0, search.n], mark: (search) => search.n / 2 },
  {
    name: "Entropy of the weights, in nats", short: "Entropy", unit: "nats", value: (round) => round.entropy, range: (search) => [0, Math.max(0.1, Math.log(search.n))],
    mark: null,
  },
  {
    name: "Temperature of the draw", short: "Temperature", unit: "", value: (round) => round.temperature,
    range: (search) => [1, Math.max(2, ...search.rounds.map(({ event }) => event.temperature))], mark: null,
  },
];

/**
 * Draw the lanes anew.
 * @param {SVGGElement} group
 * @param {Search} search
 * @param {Layout} layout
 */
export function drawLanes(group, search, layout) {
  group.replaceChildren();
  const right = xOf(layout, Math.max(search.columns, 4)) + layout.cellWidth / 2;
  LANES.forEach((lane, i) => {
    const top = layout.bottom + layout.laneGap + i * (layout.laneHeight + layout.laneGap);
    const bottom = top + layout.laneHeight;
    const [low, high] = lane.range(search);
    const y = (/** @type {number} */ value) => bottom - ((value - low) / (high - low)) * layout.laneHeight;
    group.append(
      s("text", { class: "lane-name", x: layout.left, y: top - 7 }, lane.name),
      s("text", { class: "lane-scale", x: layout.left - 8, y: top + 8, "text-anchor": "end" }, short(high)),
      s("text", { class: "lane-scale", x: layout.left - 8, y: bottom + 3, "text-anchor": "end" }, short(low)),
      s("line", { class: "lane-base", x1: layout.left, x2: right, y1: bottom, y2: bottom }),
    );
    if (lane.mark !== null) {
      const at = y(lane.mark(search));
      group.append(s("line", { class: "lane-mark", x1: layout.left, x2: right, y1: at, y2: at }));
    }
    for (const sweep of sweepsOf(search)) {
      const points = sweep.map((round) => [xOf(layout, round.t), y(lane.value(round))]);
      if (points.length > 1) {
        const line = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
        group.append(s("polyline", { class: `lane-line lane-${i}`, points: line }));
      }
      points.forEach(([px, py], k) => {
        const dot = s("circle", { class: `lane-dot lane-${i}`, cx: px, cy: py, r: layout.cellWidth < 30 ? 1.8 : 3 });
        const title = `Step ${sweep[k].t}: ${lane.short} ${short(lane.value(sweep[k]))} ${lane.unit}`;
        dot.append(s("title", {}, title.trim()));
        group.append(dot);
      });
    }
  });
}

/**
 * Rounds in the order of their steps; a method that sweeps several times has several runs of them.
 * @param {Search} search
 * @returns {Resampled[][]}
 */
function sweepsOf(search) {
  /** @type {Resampled[][]} */
  const sweeps = [];
  for (const { event } of search.rounds) {
    const newest = sweeps.at(-1);
    const before = newest?.at(-1);
    if (newest === undefined || before === undefined || event.t <= before.t) sweeps.push([event]);
    else newest.push(event);
  }
  return sweeps;
}
