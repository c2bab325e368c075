/** A search as a tree of steps: a fold of its events. Nothing here touches the page. */

/** @import { AnswerShare, Resampled, Result, Scored, SearchEvent, StepTaken } from "./types.js" */

/**
 * One step of one particle.
 * @typedef {object} Step
 * @property {number} slot index of the particle, from 0
 * @property {number} t column, from 1
 * @property {Step | null} parent the step that it continues
 * @property {Step[]} children
 * @property {string} text
 * @property {string} finish
 * @property {number} nTokens
 * @property {{text: string, logProb: number | null}[] | null} tokens of a step of a final particle, where the server shows them
 * @property {number | null} score
 * @property {{text: string, score: number | null} | null} successor the look-ahead that was drawn for its score
 * @property {boolean} carried whether it is a finished solution that waits for the others
 * @property {boolean} alive whether a particle of the newest column descends from it
 * @property {Round | null} round the round that decided about it
 * @property {number[]} continuedBy the slots that continue it after that round
 * @property {string | null} answer of a finished one
 */

/**
 * One round: what it decided by, and what came out of it.
 * @typedef {object} Round
 * @property {number} index
 * @property {Resampled} event
 * @property {number} nDraws how many ancestors were drawn at random
 */

/**
 * @typedef {object} Search
 * @property {string} method
 * @property {number} n number of particles
 * @property {number | null} seed
 * @property {string | null} id
 * @property {Step[]} steps in the order in which they were made
 * @property {(Step | null)[]} tips newest step of each particle
 * @property {Round[]} rounds
 * @property {number} columns
 * @property {AnswerShare[]} distribution
 * @property {number | null} confidence in the leading answer
 * @property {Result | null} result
 * @property {string | null} error
 * @property {Set<Step>} changed steps to draw anew
 */

/** @returns {Search} a search before its first event */
export function newSearch() {
  return {
    method: "", n: 0, seed: null, id: null, steps: [], tips: [], rounds: [], columns: 0, distribution: [], confidence: null, result: null, error: null,
    changed: new Set(),
  };
}

/**
 * Take in one more event. Events of kinds that this page does not know are passed over.
 * @param {Search} search
 * @param {SearchEvent} event
 */
export function apply(search, event) {
  switch (event.type) {
    case "started":
      search.method = event.method;
      search.n = event.n_particles;
      search.seed = event.seed;
      search.id = event.id;
      search.tips = Array(event.n_particles).fill(null);
      break;
    case "step":
      takeStep(search, event);
      break;
    case "scored":
      takeScore(search, event);
      break;
    case "resampled":
      takeRound(search, event);
      break;
    case "answer":
      takeResult(search, event.result);
      break;
    case "error":
      search.error = event.error.message;
      break;
  }
}

/** @param {Step} step @returns {boolean} whether it ends a solution */
export function isFinished(step) {
  return step.finish === "eos" || step.finish === "answer";
}

/** @param {Step} step @returns {Step[]} the steps of the solution up to this one */
export function pathTo(step) {
  const path = [];
  for (let at = /** @type {Step | null} */ (step); at !== null; at = at.parent) if (!at.carried) path.unshift(at);
  return path;
}

/** @param {Search} search @param {StepTaken} event */
function takeStep(search, event) {
  const { particle: slot, t } = event;
  const tip = search.tips[slot] ?? null;
  if (event.lookahead) {
    if (tip === null) return;
    tip.successor = { text: event.text, score: null };
    search.changed.add(tip);
    return;
  }
  const newest = search.rounds.at(-1);
  if (event.n_tokens === 0 && newest !== undefined && t === newest.event.t && tip !== null && tip.t <= t) {
    const source = newest.event.ancestors[slot];
    const earlier = search.steps.filter((step) => step.slot === source && step.text === event.text && !step.carried).at(-1);
    if (earlier !== undefined) {
      search.tips[slot] = earlier; // a particle that went back to a prefix of an earlier round
      revive(search);
      return;
    }
  }
  const fresh = tip !== null && t <= tip.t ? null : tip; // a method that sweeps several times begins again
  add(search, slot, t, fresh, { text: event.text, finish: event.finish, nTokens: event.n_tokens });
}

/** @param {Search} search @param {Scored} event */
function takeScore(search, event) {
  const tip = search.tips[event.particle];
  if (tip === null || tip === undefined) return;
  if (event.lookahead) {
    if (tip.successor !== null) tip.successor.score = event.score;
  } else {
    tip.score = event.score;
  }
  search.changed.add(tip);
}

/** @param {Search} search @param {Resampled} event */
function takeRound(search, event) {
  const { t, ancestors, weights, probabilities } = event;
  const nDraws = probabilities ? ancestors.filter((a) => (probabilities[a] ?? 0) > 0).length : 0;
  const round = { index: search.rounds.length, event, nDraws };
  search.rounds.push(round);
  search.distribution = event.distribution ?? search.distribution;
  search.confidence = event.confidence === undefined ? search.confidence : event.confidence;
  for (let slot = 0; slot < search.n; slot++) {
    const tip = search.tips[slot];
    if (tip && tip.t < t && isFinished(tip) && (weights?.[slot] ?? 0) > 0) {
      add(search, slot, t, tip, { ...tip, nTokens: 0, carried: true, successor: null });
    }
  }
  const before = [...search.tips];
  for (const tip of before) {
    if (tip !== null && tip.round === null) tip.round = round;
  }
  ancestors.forEach((ancestor, slot) => {
    const tip = before[ancestor] ?? null;
    search.tips[slot] = tip;
    if (tip !== null && tip.round === round) tip.continuedBy.push(slot);
  });
  revive(search);
}

/** @param {Search} search @param {Result} result */
function takeResult(search, result) {
  search.result = result;
  search.seed = result.seed;
  search.distribution = result.distribution;
  search.confidence = result.confidence;
  /** @type {Map<string, string | null>} */
  const answers = new Map();
  for (const particle of result.particles ?? []) {
    answers.set(keyOf(particle.steps), particle.finished ? particle.answer : null);
  }
  for (const step of search.steps) {
    if (!isFinished(step)) continue;
    const found = answers.get(keyOf(pathTo(step)));
    if (found !== undefined) step.answer = found;
    search.changed.add(step);
  }
  takeTokens(search, result);
}

/** @param {Search} search @param {Result} result */
function takeTokens(search, result) {
  /** @type {Map<string, Step["tokens"]>} */
  const tokens = new Map();
  for (const { steps } of result.particles ?? []) {
    steps.forEach(({ tokens: texts, logprobs }, i) => {
      if (texts && logprobs) tokens.set(keyOf(steps.slice(0, i + 1)), texts.map((text, k) => ({ text, logProb: logprobs[k] ?? null })));
    });
  }
  if (tokens.size === 0) return;
  for (const step of search.steps) if (!step.carried) step.tokens = tokens.get(keyOf(pathTo(step))) ?? null;
}

/** @param {{text: string}[]} steps @returns {string} equal for equal texts only */
function keyOf(steps) {
  return steps.map(({ text }) => text).join("\u0000");
}

/**
 * @param {Search} search @param {number} slot @param {number} t @param {Step | null} parent
 * @param {Partial<Step> & {text: string, finish: string, nTokens: number}} more
 */
function add(search, slot, t, parent, more) {
  /** @type {Step} */
  const step = {
    tokens: null, score: null, successor: null, carried: false,
    answer: more.finish === "eos" || more.finish === "answer" ? boxed(more.text) : null,
    ...more,
    slot, t, parent, children: [], alive: true, round: null, continuedBy: [],
  };
  parent?.children.push(step);
  search.steps.push(step);
  search.tips[slot] = step;
  search.columns = Math.max(search.columns, t);
  search.changed.add(step);
}

/** Mark the steps from which a particle of today descends. @param {Search} search */
function revive(search) {
  const living = new Set();
  for (const tip of search.tips) {
    for (let at = tip; at !== null && !living.has(at); at = at.parent) living.add(at);
  }
  for (const step of search.steps) {
    const alive = living.has(step);
    if (alive !== step.alive || step.round === search.rounds.at(-1)) search.changed.add(step);
    step.alive = alive;
  }
}

/**
 * The content of the last \boxed{...} of a text, which stands for the answer until the result names it.
 * @param {string} text
 * @returns {string | null}
 */
function boxed(text) {
  const start = text.lastIndexOf("\\boxed{");
  if (start < 0) return null;
  let depth = 0;
  for (let i = start + 6; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return text.slice(start + 7, i);
  }
  return null;
}
