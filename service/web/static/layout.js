/** Where things are in the picture of a search, in pixels. Steps are columns, particles are rows, and the lanes share the columns. */

/**
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} left of the first column
 * @property {number} cellWidth
 * @property {number} cellHeight
 * @property {number} top of the first row
 * @property {number} bottom of the last row
 * @property {number} columns
 * @property {boolean} labelled whether a step has room for its score
 * @property {boolean} written whether it has room for the beginning of its text as well
 * @property {number} laneHeight
 * @property {number} laneGap
 */

export const N_LANES = 3;
const LEFT = 36;
const TOP = 22;
const WIDEST = 190;
/** Columns for which there is room while a search runs: the picture changes its scale at few of its steps. */
const ROOMS = [4, 6, 9, 14, 21, 32, 48, 72];
const NARROWEST = 20;

/**
 * @param {{n: number, columns: number, available: number, answers: boolean, lanes: boolean, running: boolean}} picture number of particles and columns,
 *   the width in which it should fit, whether there are answers to show at the right, rounds to show below, and more columns to come
 * @returns {Layout}
 */
export function layoutOf({ n, columns, available, answers, lanes, running }) {
  const right = answers ? Math.min(120, Math.max(64, available * 0.14)) : 16;
  const shown = (running ? ROOMS.find((room) => room >= columns) : undefined) ?? Math.max(columns, 4);
  const cellWidth = Math.max(NARROWEST, Math.min(WIDEST, (available - LEFT - right) / shown));
  const cellHeight = n <= 12 ? 34 : n <= 20 ? 26 : n <= 40 ? 18 : 13;
  const bottom = TOP + n * cellHeight;
  const laneHeight = 38;
  const laneGap = 30;
  return {
    width: Math.max(available, LEFT + columns * cellWidth + right),
    height: bottom + (lanes ? N_LANES * (laneHeight + laneGap) : 0) + 8,
    columns,
    left: LEFT,
    top: TOP,
    bottom,
    cellWidth,
    cellHeight,
    labelled: cellWidth >= 46 && cellHeight >= 22,
    written: cellWidth >= 112 && cellHeight >= 22,
    laneHeight,
    laneGap,
  };
}

/** @param {Layout} layout @param {number} t @returns {number} middle of column t, counted from 1 */
export function xOf(layout, t) {
  return layout.left + (t - 0.5) * layout.cellWidth;
}

/** @param {Layout} layout @param {number} slot @returns {number} middle of the row of a particle, counted from 0 */
export function yOf(layout, slot) {
  return layout.top + (slot + 0.5) * layout.cellHeight;
}

/** @param {Layout} layout @param {boolean} carried whether the step only waits for the others @returns {[number, number]} width and height of a step */
export function sizeOf(layout, carried) {
  if (carried) return [Math.min(10, layout.cellWidth * 0.4), Math.min(10, layout.cellHeight * 0.5)];
  if (layout.written) return [layout.cellWidth - 16, Math.min(24, layout.cellHeight - 8)];
  if (layout.labelled) return [Math.min(46, layout.cellWidth - 10), Math.min(22, layout.cellHeight - 8)];
  const side = Math.min(14, layout.cellWidth - 6, layout.cellHeight - 3);
  return [side, side];
}
