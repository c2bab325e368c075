/** A result as events. What was dropped on the way is not in a result: the picture has the steps that lead to its particles. */

/** @import { ParticleOut, Result, SearchEvent } from "./types.js" */

/**
 * @param {Result} result with its particles
 * @returns {SearchEvent[]}
 */
export function eventsOfResult(result) {
  const particles = result.particles ?? [];
  const n = particles.length;
  /** @type {SearchEvent[]} */
  const events = [{ type: "started", id: result.id ?? "", method: result.method, n_particles: n, seed: result.seed, prompt_tokens: null }];
  const places = particles.map((particle, slot) => placesOf(particle, slot, result, n));
  const longest = Math.max(0, ...particles.map(({ steps }) => steps.length));
  for (let t = 1; t <= longest; t++) {
    const taken = new Set();
    particles.forEach(({ steps, scores }, i) => {
      const step = steps[t - 1];
      const particle = places[i][t - 1];
      if (step === undefined || taken.has(particle)) return;
      taken.add(particle);
      const { text, finish, n_tokens } = step;
      events.push({ type: "step", particle, t, text, finish, n_tokens, lookahead: false });
      const score = scores.length === steps.length ? scores[t - 1] : t === steps.length ? scores.at(-1) : undefined;
      if (score !== undefined) events.push({ type: "scored", particle, t, score, lookahead: false });
    });
    const record = inOrder(result) ? result.steps[t - 1] : undefined;
    if (record === undefined) continue;
    const ancestors = Array(n).fill(-1);
    places.forEach((place, i) => {
      if (particles[i].steps.length >= t || !record.resampled) ancestors[place[t]] = place[t - 1];
      else ancestors[place[t]] = place[Math.min(t, place.length) - 1];
    });
    events.push({ ...record, type: "resampled", ancestors, n_finished: 0, answer: null });
  }
  events.push({ type: "answer", result });
  return events;
}

/**
 * The slot in which a particle was at each step: its lineage has one for each round that resampled.
 * @param {ParticleOut} particle @param {number} slot at the end @param {Result} result @param {number} n
 * @returns {number[]} one for each step and one more
 */
function placesOf(particle, slot, result, n) {
  const places = [];
  let drawn = 0;
  for (let t = 1; t <= Math.max(particle.steps.length, result.steps.length) + 1; t++) {
    const ancestor = inOrder(result) ? particle.lineage[drawn] : undefined;
    places.push(ancestor !== undefined && ancestor < n ? ancestor : slot);
    if (result.steps[t - 1]?.resampled) drawn++;
  }
  return places;
}

/** @param {Result} result @returns {boolean} whether its rounds are steps 1, 2, 3 ... of all particles together */
function inOrder(result) {
  return result.method !== "epf_pool" && result.steps.every(({ t }, i) => t === i + 1);
}
