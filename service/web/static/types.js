/**
 * Shapes that the API sends and that the page keeps. Nothing here runs.
 *
 * @typedef {{answer: string, probability: number, n_particles: number}} AnswerShare
 * @typedef {{code: string, message: string}} SearchWarning
 * @typedef {{text: string, finish: string, n_tokens: number, tokens?: string[] | null, logprobs?: (number | null)[] | null}} StepOut
 * @typedef {{steps: StepOut[], scores: number[], lineage: number[], finished: boolean, answer: string | null,
 *   log_weight: number | null}} ParticleOut
 * @typedef {{t: number, ess: number, entropy: number, temperature: number, resampled: boolean, distinct_ancestors: number}} StepRecord
 * @typedef {{answer: string | null, confidence: number, share: number, solution: string, distribution: AnswerShare[],
 *   stop_reason: string, warnings: SearchWarning[], method: string, seed: number, steps: StepRecord[],
 *   usage: {generated_tokens: number, discarded_tokens: number, prm_tokens: number, total_s: number | null},
 *   particles?: ParticleOut[], id?: string}} Result
 *
 * @typedef {{type: "started", id: string, method: string, n_particles: number, seed: number, prompt_tokens: number | null}} Started
 * @typedef {{type: "step", particle: number, t: number, text: string, finish: string, n_tokens: number,
 *   lookahead: boolean}} StepTaken
 * @typedef {{type: "scored", particle: number, t: number, score: number, lookahead: boolean}} Scored
 * @typedef {StepRecord & {type: "resampled", ancestors: number[], n_finished: number, answer: string | null,
 *   distribution?: AnswerShare[], confidence?: number | null, weights?: number[], probabilities?: number[] | null}} Resampled
 * @typedef {{type: "answer", result: Result}} Answered
 * @typedef {{type: "error", error: {message: string, code: string, param?: string | null}}} Failed
 * @typedef {Started | StepTaken | Scored | Resampled | Answered | Failed} SearchEvent
 *
 * @typedef {object} SolveRequest
 * @property {string} problem
 * @property {string} [method]
 * @property {number} [n_particles]
 * @property {string} [lookahead]
 * @property {number} [seed]
 *
 * @typedef {{id: string, request_id: string, started_at: string, state: "answered" | "failed" | "stopped", method: string,
 *   n_particles: number, seed: number, problem: string, answer: string | null, confidence: number | null,
 *   generated_tokens: number | null, seconds: number | null}} SearchSummary
 * @typedef {{searches: SearchSummary[], has_more: boolean}} SearchList
 * @typedef {{id: string, request_id: string, started_at: string, state: "answered" | "failed" | "stopped",
 *   request: SolveRequest, events: SearchEvent[]}} KeptSearch
 *
 * @typedef {{request: SolveRequest | null, events: SearchEvent[], maths?: Record<string, string>}} Stored
 *
 * @typedef {{name: string, summary: string, options: string[], defaults: Record<string, any>}} Method
 * @typedef {{default: string, methods: Method[], models: Record<string, string>,
 *   limits: {max_particles: number, max_problem_chars: number, max_seconds: number}, keeps_searches: boolean}} MethodList
 */
export {};
