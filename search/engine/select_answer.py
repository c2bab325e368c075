"""From particles to the answer: only finished ones vote, with untempered weights."""

import math
from collections.abc import Sequence

import numpy as np

from epf.core.errors import ContextTooLong, DeadlineExceeded, SearchFailed
from epf.search.answers.equality import AnswerChecker
from epf.search.answers.extract import final_answer
from epf.search.answers.vote import choose
from epf.search.engine.search_run import GRADING_GRACE_S, Outcome, Run
from epf.search.engine.trajectory import Chain
from epf.search.options import SearchOptions
from epf.search.result import Particle, SearchResult, StopReason
from epf.search.smc.weights import CLIP, FloatArray


def best_so_far(chains: Sequence[Chain], log_weights: FloatArray, options: SearchOptions) -> str | None:
    """Answer with the most votes among finished particles, equal answers recognised by their text only; None without one."""
    answers = _answers(chains, options)
    classes = [answers.index(answer) for answer in answers]
    votes = vote_weights(chains, log_weights, options)
    choice = choose(answers, classes, votes, "weighted_vote", np.random.default_rng(0))
    return None if choice is None else choice.answer


def vote_weights(chains: Sequence[Chain], log_weights: FloatArray, options: SearchOptions) -> FloatArray:
    """Log size of each particle's vote, ``(n,)``: its weight, or for ``probability_vote`` the newest score.

    A filter that draws at every step has its particles by what the reward model said of them. Weights would count the last
    judgement by its odds, so that one particle of 0.999 outweighs a hundred of 0.9; the sum of the scores is how many of the
    particles with an answer are expected to be right.
    """
    if options.answer_selection != "probability_vote":
        return log_weights
    scores = np.array([chain.scores[-1] if chain.scores else 0.0 for chain in chains])
    return np.where(log_weights > -np.inf, np.log(np.maximum(scores, CLIP)), -np.inf)


def stop_reason(outcome: Outcome, options: SearchOptions) -> StopReason:
    """Why the search ended.

    Raises ``SearchFailed`` when every particle is dead, ``ContextTooLong`` when none has room for a first step, and
    ``DeadlineExceeded`` when time was up before there was one step.
    """
    statuses = {chain.status for chain in outcome.chains}
    if not any(chain.steps for chain in outcome.chains):
        if outcome.cut == "deadline":
            raise DeadlineExceeded("max_seconds was over before the first step: allow more time", param="max_seconds")
        if "stuck" in statuses:
            raise ContextTooLong("the problem leaves no room for a step in a model's context: shorten it", param="problem")
    if statuses == {"dead"}:
        raise SearchFailed("every particle died: the generator wrote empty or endlessly repeated steps")
    if outcome.cut is not None:
        return outcome.cut
    if "finished" in statuses:
        return "finished"
    limit = options.max_tokens_per_particle
    if limit is not None and any(len(chain.token_ids) >= limit for chain in outcome.chains):
        return "max_tokens"
    return "context"


async def conclude(
    outcome: Outcome, run: Run, checker: AnswerChecker, *, method: str, seed: int, prompt_tokens: int
) -> SearchResult:
    """Choose the answer and write the result. Raises what :func:`stop_reason` raises."""
    options = run.options
    reason = stop_reason(outcome, options)
    answers = _answers(outcome.chains, options)
    votes = vote_weights(outcome.chains, outcome.log_weights, options)
    assert options.answer_selection is not None, "every method has a way to an answer"
    with run.ledger.doing("resampling"):
        classes = await _classes(answers, checker, run)
        choice = choose(answers, classes, votes, options.answer_selection, run.rng("selection"))
    shown = _best(outcome) if choice is None else choice.particle
    return SearchResult(
        answer=None if choice is None else choice.answer,
        confidence=0.0 if choice is None else choice.confidence,
        solution=outcome.chains[shown].solution(options.separator),
        shown=shown,
        distribution=() if choice is None else choice.distribution,
        answer_entropy=0.0 if choice is None else choice.entropy,
        stop_reason=reason,
        method=method,
        seed=seed,
        log_evidence=outcome.log_evidence,
        usage=run.ledger.usage(prompt_tokens, (step for chain in outcome.chains for step in chain.steps)),
        steps=outcome.records,
        particles=tuple(_particle(c, w, options) for c, w in zip(outcome.chains, outcome.log_weights, strict=True)),
    )


async def _classes(answers: Sequence[str | None], checker: AnswerChecker, run: Run) -> Sequence[int]:
    """Class of each answer; where grading takes longer than it may, answers are equal if their texts are."""
    try:
        async with run.in_time(GRADING_GRACE_S):
            return await checker.classes(answers)
    except TimeoutError:
        return [answers.index(answer) for answer in answers]


def _answers(chains: Sequence[Chain], options: SearchOptions) -> list[str | None]:
    return [final_answer(chain.solution(options.separator)) if chain.status == "finished" else None for chain in chains]


def _best(outcome: Outcome) -> int:
    """The particle to show where none has an answer: finished before unfinished, then by weight, then by its last score."""

    def rank(i: int) -> tuple[bool, bool, float, float, int]:
        chain, log_weight = outcome.chains[i], float(outcome.log_weights[i])
        score = chain.scores[-1] if chain.scores else -math.inf
        return chain.status == "finished", bool(chain.steps), log_weight, score, len(chain.steps)

    return max(range(len(outcome.chains)), key=rank)


def _particle(chain: Chain, log_weight: float, options: SearchOptions) -> Particle:
    return Particle(
        steps=chain.steps,
        scores=chain.scores,
        lineage=chain.lineage,
        finished=chain.status == "finished",
        answer=final_answer(chain.solution(options.separator)),
        log_weight=float(log_weight),
    )
