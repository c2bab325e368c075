"""From particles to the answer: only finished particles vote, with untempered weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from epf.core.errors import ContextTooLong, DeadlineExceeded, SearchFailed, SearchServiceError
from epf.core.off_loop import off_loop
from epf.search.answers.checker import AnswerChecker, classes_at_once
from epf.search.answers.conclusion import NOT_ENOUGH, conclusion
from epf.search.answers.extract import settled_answer
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.engine.confidence import evidence_for, probability
from epf.search.engine.log_probs import tokens_of
from epf.search.engine.search_run import SearchRun
from epf.search.engine.trajectory import Outcome, Trajectory
from epf.search.engine.warnings import warnings_of
from epf.search.options import AnswerSelection, SearchOptions
from epf.search.result import AnswerShare, Particle, SearchResult, StopReason, Token
from epf.search.smc.weights import CLIP, FloatArray

GRADING_GRACE_S = 0.5
"""Time that a search may still take to recognise equal answers after its deadline, in seconds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The selected answer and its support among the particles.

    Attributes:
        answer: as the best particle wrote it.
        particle: index of the heaviest particle with that answer, in 0..n-1.
        share: share of the answer's class in ``distribution``, in [0, 1].
        distribution: every class, most probable first; probabilities sum to one.
        entropy: entropy of ``distribution``, in nats.
    """

    answer: str
    particle: int
    share: float
    distribution: tuple[AnswerShare, ...]
    entropy: float


async def select_answer(
    outcome: Outcome,
    run: SearchRun,
    checker: AnswerChecker,
    *,
    confidence: ConfidenceMap | None,
    method: str,
    has_reward_model: bool,
    prompt_tokens: int,
    waited_for: str = "",
) -> SearchResult:
    """Select the answer and build the result.

    Without a map ``confidence`` the result's confidence is unfitted. ``has_reward_model`` is whether the method scores with a
    reward model. ``waited_for`` is what the last call was waiting for that the deadline cut short, a sentence, if it is known.

    Raises what :func:`stop_reason` raises.
    """
    options = run.options
    reason = stop_reason(outcome, options, run.failure, waited_for)
    n_chars = sum(len(step.text) for trajectory in outcome.trajectories for step in trajectory.steps)
    answers = await off_loop(n_chars, partial(_answers, outcome.trajectories, options))
    votes = vote_weights(outcome.trajectories, outcome.log_weights, options)
    assert options.answer_selection is not None, "resolved options have a way to select the answer"
    with run.meter.measure("resampling"):
        classes, compared_as_text = await _classes(answers, checker, run)
        choice = choose(answers, classes, votes, options.answer_selection, run.rng("selection"))
        evidence = (
            None
            if choice is None
            else evidence_for(classes[choice.particle], outcome.trajectories, votes, answers, classes, run)
        )
    shown = _best(outcome) if choice is None else choice.particle
    tokens = tokens_of(outcome.trajectories, run.generator) if options.logprobs else [None] * len(answers)
    warnings = warnings_of(
        options,
        outcome.trajectories,
        answers,
        classes,
        has_reward_model=has_reward_model,
        outside=confidence is not None and confidence.surely_outside(run.problem),
        compared_as_text=compared_as_text,
        n_unscored=run.n_unscored + len(run.unscored),
        not_enough=choice is not None and choice.answer == NOT_ENOUGH,
    )
    return SearchResult(
        answer=None if choice is None or choice.answer == NOT_ENOUGH else choice.answer,
        confidence=probability(run.problem, evidence, confidence),
        share=0.0 if choice is None else choice.share,
        solution=outcome.trajectories[shown].solution(options.separator),
        shown=shown,
        distribution=() if choice is None else choice.distribution,
        answer_entropy=0.0 if choice is None else choice.entropy,
        stop_reason=reason,
        warnings=warnings,
        method=method,
        seed=run.seed,
        log_evidence=outcome.log_evidence,
        usage=run.meter.usage(prompt_tokens, (step for trajectory in outcome.trajectories for step in trajectory.steps)),
        steps=outcome.records,
        particles=tuple(
            _particle(options, *particle)
            for particle in zip(outcome.trajectories, answers, outcome.log_weights, tokens, strict=True)
        ),
        evidence=evidence,
    )


def answers_so_far(
    trajectories: Sequence[Trajectory], log_weights: FloatArray, run: SearchRun
) -> tuple[str | None, tuple[AnswerShare, ...], float | None]:
    """The answer that the search would give if it ended now, all answers, and the probability that it is right.

    Answers are equal only if their texts are. Without an answer there is neither an answer nor a probability.
    """
    options = run.options
    assert options.answer_selection is not None, "resolved options have a way to select the answer"
    answers = _answers(trajectories, options)
    classes = [answers.index(answer) for answer in answers]
    votes = vote_weights(trajectories, log_weights, options)
    choice = choose(answers, classes, votes, options.answer_selection, run.rng("selection"))
    if choice is None:
        return None, (), None
    evidence = evidence_for(classes[choice.particle], trajectories, votes, answers, classes, run)
    return choice.answer, choice.distribution, probability(run.problem, evidence, run.confidence)


def vote_weights(trajectories: Sequence[Trajectory], log_weights: FloatArray, options: SearchOptions) -> FloatArray:
    """Log size of each particle's vote, ``(n,)``: its weight, or for ``probability_vote`` its newest score.

    A filter that draws at every step has drawn its particles by their scores already. Weights would count the last score by
    its odds, so that one particle of 0.999 outweighs a hundred of 0.9; the sum of the scores is the expected number of right
    particles among those with an answer.
    """
    if options.answer_selection != "probability_vote":
        return log_weights
    scores = np.array([trajectory.scores[-1] if trajectory.scores else 0.0 for trajectory in trajectories])
    return np.where(log_weights > -np.inf, np.log(np.maximum(scores, CLIP)), -np.inf)


def choose(
    answers: Sequence[str | None],
    classes: Sequence[int],
    log_weights: ArrayLike,
    selection: AnswerSelection,
    rng: np.random.Generator,
) -> Choice | None:
    """Choose an answer; None when no particle has a vote.

    Args:
        answers: answer of each particle, ``(n,)``; None has no vote.
        classes: class of each answer, ``(n,)``, from ``AnswerChecker.classes``; ignored where the answer is None.
        log_weights: untempered, ``(n,)``; -inf has no vote. The largest finite ones may be far below zero.
        selection: ``weighted_vote`` takes the class with the largest sum of weights, and so does ``probability_vote``, whose
            weights are probabilities; ``majority`` the class with the most particles, ``argmax`` the answer of the heaviest
            particle, ``sample`` the answer of a particle drawn by weight.
        rng: used by ``sample`` only, for one draw.

    The distribution is by weight, for ``majority`` by count. Ties go to the class with the heavier best particle, then to the
    class whose best particle has the lower index.
    """
    log_w = np.asarray(log_weights, dtype=np.float64)
    assert log_w.shape == (len(answers),) == (len(classes),), "one answer, class and weight per particle"
    assert (log_w < np.inf).all(), "log weights are finite or -inf, never NaN"
    voters = [i for i, answer in enumerate(answers) if answer is not None and log_w[i] > -np.inf]
    if not voters:
        return None
    weights = np.exp(log_w[voters] - log_w[voters].max())
    weights /= weights.sum()

    members: dict[int, list[int]] = {}
    for position, i in enumerate(voters):
        members.setdefault(classes[i], []).append(position)
    shares: list[tuple[AnswerShare, int]] = []
    for positions in members.values():
        best = min((voters[p] for p in positions), key=lambda i: (-log_w[i], i))
        probability = len(positions) / len(voters) if selection == "majority" else math.fsum(weights[positions])
        answer = answers[best]
        assert answer is not None
        shares.append((AnswerShare(answer, min(probability, 1.0), len(positions)), best))
    shares.sort(key=lambda share: (-share[0].probability, -log_w[share[1]], share[1]))

    if selection in ("weighted_vote", "probability_vote", "majority"):
        chosen = 0
    else:
        if selection == "argmax":
            particle = min(voters, key=lambda i: (-log_w[i], i))
        else:
            particle = voters[rng.choice(len(voters), p=weights)]
        chosen = next(k for k, (_, best) in enumerate(shares) if classes[best] == classes[particle])
    share, best = shares[chosen]
    distribution = tuple(share for share, _ in shares)
    entropy = -math.fsum(s.probability * math.log(s.probability) for s in distribution if s.probability > 0)
    return Choice(share.answer, best, share.probability, distribution, max(0.0, entropy))


def stop_reason(
    outcome: Outcome, options: SearchOptions, failure: SearchServiceError | None = None, waited_for: str = ""
) -> StopReason:
    """Why the search ended. ``waited_for`` is what the last call was waiting for that the deadline cut short.

    Raises ``SearchFailed`` when every particle is dead, ``ContextTooLong`` when no particle has room for a first step, and
    ``DeadlineExceeded`` when the time was over before the first step. Raises ``failure``, that of a model, when it ended the
    search before a particle finished.
    """
    statuses = {trajectory.status for trajectory in outcome.trajectories}
    if failure is not None:
        if "finished" not in statuses:
            raise failure
        return "model_failed"
    if not any(trajectory.steps for trajectory in outcome.trajectories):
        if outcome.cut == "deadline":
            why = waited_for or "Check that the models' servers are not stopped or overloaded, or allow more time."
            raise DeadlineExceeded(f"max_seconds was over before there was a first step. {why}", param="max_seconds")
        if "context_full" in statuses:
            raise ContextTooLong("the problem leaves no room for a step in a model's context: shorten it", param="problem")
    if statuses == {"dead"}:
        raise SearchFailed(
            "No particle produced a usable step. The generator returned only empty or repeated steps; check its prompt format "
            "(see docs/models.md)."
        )
    if outcome.cut is not None:
        return outcome.cut
    if "finished" in statuses:
        return "finished"
    limit = options.max_tokens_per_particle
    if limit is not None and any(len(trajectory.token_ids) >= limit for trajectory in outcome.trajectories):
        return "max_tokens"
    return "context"


async def _classes(answers: Sequence[str | None], checker: AnswerChecker, run: SearchRun) -> tuple[Sequence[int], bool]:
    """Class of each answer, and whether grading took too long, so that only plain numbers are compared by value."""
    try:
        async with run.time_limit(GRADING_GRACE_S):
            return await checker.classes(answers), False
    except TimeoutError:
        return classes_at_once(answers), True


def _answers(trajectories: Sequence[Trajectory], options: SearchOptions) -> list[str | None]:
    return [conclusion(t.solution(options.separator)) if t.status == "finished" else None for t in trajectories]


def _best(outcome: Outcome) -> int:
    """Particle to show if no particle has an answer: finished before unfinished, then by weight, then by last score."""

    def rank(i: int) -> tuple[bool, bool, float, float, int]:
        trajectory, log_weight = outcome.trajectories[i], float(outcome.log_weights[i])
        score = trajectory.scores[-1] if trajectory.scores else -math.inf
        return trajectory.status == "finished", bool(trajectory.steps), log_weight, score, len(trajectory.steps)

    return max(range(len(outcome.trajectories)), key=rank)


def _particle(
    options: SearchOptions,
    trajectory: Trajectory,
    answer: str | None,
    log_weight: float,
    tokens: tuple[tuple[Token, ...] | None, ...] | None,
) -> Particle:
    """The particle of a trajectory; ``answer`` is that of a finished one."""
    finished = trajectory.status == "finished"
    return Particle(
        steps=trajectory.steps,
        scores=trajectory.scores,
        lineage=trajectory.lineage,
        finished=finished,
        answer=answer if finished else settled_answer(trajectory.solution(options.separator)),
        log_weight=float(log_weight),
        tokens=tokens,
    )
