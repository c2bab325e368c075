/** Why a step went on or ended, in words. */

import { counted, listed, percent, short } from "./numbers.js";
import { isFinished } from "./search.js";

/** @import { Search, Step } from "./search.js" */

/** Methods that draw nothing at random. */
const KEEP_THE_BEST = new Set(["beam", "dvts"]);

/**
 * @param {Search} search
 * @param {Step} step
 * @returns {{fate: "goes on" | "ended" | "finished" | "open", text: string}}
 */
export function whyOf(search, step) {
  const { round } = step;
  if (round === null) return withoutRound(search, step);
  const { event } = round;
  const slots = step.continuedBy;
  const fate = slots.length > 0 ? (isFinished(step) ? "finished" : "goes on") : "ended";
  const weight = event.weights?.[step.slot];
  const heavy = weight === undefined ? "" : `Its weight was ${percent(weight)} of all. `;
  const onward = slots.length === 0 ? "" : slots.length === 1 && slots[0] === step.slot && !event.resampled ? "" : continuation(step, slots);
  if (weight === 0 && step.score === null) {
    return { fate, text: "It was discarded: the step is empty, repeats itself, or has no room in the model's context." };
  }
  if (!event.resampled) {
    const what = isFinished(step) ? "it keeps its vote for the answer" : "it goes on";
    return { fate, text: `${heavy}This round dropped no particle, so ${what}.` };
  }
  if (event.probabilities === undefined) {
    return { fate, text: `${heavy}The file does not record by what this round decided. ${onward}`.trim() };
  }
  const probability = event.probabilities?.[step.slot];
  if (probability === undefined) {
    const [kept, left] = KEEP_THE_BEST.has(search.method)
      ? ["It was among the best, which the method keeps.", "Others had better scores, and the method keeps the best only, so it ended here."]
      : ["It was drawn.", "The draw was from these steps and from earlier ones, and did not take this one."];
    const choice = slots.length > 0 ? kept : left;
    return { fate, text: `${heavy}${choice} ${onward}`.trim() };
  }
  if (probability === 0 && slots.length > 0) return { fate, text: `${heavy}It took no part in the draw and stays. ${onward}`.trim() };
  const annealed = event.temperature > 1 ? `, after annealing at temperature ${short(event.temperature)},` : "";
  const chance = `Each of the ${round.nDraws} draws took it with a probability of ${percent(probability)}${annealed} so ${expected(probability * round.nDraws)} expected.`;
  const drawn = slots.length > 0 ? `It was drawn ${slots.length === 1 ? "once" : counted(slots.length, "time")}. ${onward}` : "It was never drawn, so it ended here.";
  return { fate, text: `${heavy}${chance.replace("% so", "%, so")} ${drawn}` };
}

/** @param {Search} search @param {Step} step @returns {{fate: "goes on" | "finished" | "open", text: string}} */
function withoutRound(search, step) {
  const ended = search.result !== null || search.error !== null;
  if (search.rounds.length === 0 && ended) {
    const text = "This search dropped no particle on the way: each solution was written to its end by itself.";
    return { fate: isFinished(step) ? "finished" : step.children.length > 0 ? "goes on" : "open", text };
  }
  if (step.children.length > 0) return { fate: "goes on", text: "Nothing was decided at this step: the solution was written on." };
  if (ended) return { fate: "open", text: "The search ended before this round decided about it." };
  return { fate: "open", text: "Nothing has been decided about it yet." };
}

/** @param {number} copies @returns {string} */
function expected(copies) {
  return copies < 0.01 ? "fewer than 0.01 copies were" : copies === 1 ? "1 copy was" : `${copies.toFixed(copies < 0.1 ? 2 : 1)} copies were`;
}

/** @param {Step} step @param {number[]} slots @returns {string} */
function continuation(step, slots) {
  const names = listed(slots.map((slot) => String(slot + 1)));
  const verb = isFinished(step) ? "hold" : "continue";
  return slots.length === 1 ? `Particle ${names} ${verb}s it.` : `Particles ${names} ${verb} it.`;
}
