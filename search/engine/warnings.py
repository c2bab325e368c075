r"""Reasons to doubt a result, found in the finished search.

A warning does not change the answer. Each has a code for programs and a message for people: what happened, what it means, what
to do. A search that a limit cut short has no warning for it: that is its ``stop_reason``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from epf.search.engine.log_probs import missing_log_probs
from epf.search.engine.trajectory import Trajectory
from epf.search.options import SearchOptions
from epf.search.result import SearchWarning, WarningCode

DOUBTFUL: Final = 0.5
"""A solution whose newest score is lower is more likely wrong than right, as the reward model sees it."""

MIN_SOLUTIONS: Final = 3
"""With fewer solutions, different answers are no sign of trouble: two disagree on many problems that a vote would solve."""

MIN_SHARE_ANSWERED: Final = 0.5
"""With a smaller fraction of particles that answered, those without an answer could outvote the others."""

GREEDY: Final = 0.01
"""Below this sampling temperature, tokens a tenth of a nat apart differ 20,000 times in probability: all particles write the
same text."""

MEANINGS: Final[Mapping[WarningCode, str]] = {
    "low_scores": f"The newest score of every solution is below {DOUBTFUL}: the reward model considers all of them wrong.",
    "not_enough_information": "The answer is null because the solutions that won the vote state that the problem lacks "
    "information.",
    "answers_differ": f"There are at least {MIN_SOLUTIONS} different solutions, and no two have the same answer.",
    "few_answers": "Fewer than half of the particles answered. The others do not vote.",
    "temperature_zero": f"The sampling temperature is below {GREEDY}, so that all particles are the same solution.",
    "no_reward_model": "The method does not use a reward model: nothing but agreement supports the answer.",
    "outside_training": "The problem is not worded like those that the models were trained on.",
    "compared_as_text": "There was no time to compare the answers as mathematics: equal ones may be counted apart.",
    "not_scored": "The last steps of particles were not scored: the reward model was lost, or the time was over.",
    "logprobs_missing": "The generator's server did not return all log probabilities that were requested.",
}
"""What each code means, for the documentation."""


def warnings_of(
    options: SearchOptions,
    trajectories: Sequence[Trajectory],
    answers: Sequence[str | None],
    classes: Sequence[int],
    *,
    has_reward_model: bool,
    outside: bool,
    compared_as_text: bool,
    n_unscored: int = 0,
    not_enough: bool = False,
) -> tuple[SearchWarning, ...]:
    """The warnings about a finished search, in the order of :data:`MEANINGS`.

    Args:
        options: resolved options.
        trajectories: the particles, ``(n,)``; copies share the objects of their steps.
        answers: answer of each particle, ``(n,)``; None for a particle that has none or did not finish.
        classes: class of each answer, ``(n,)``; ignored where the answer is None.
        has_reward_model: whether the method scores with a reward model.
        outside: whether the problem is surely unlike those that the models were trained on.
        compared_as_text: whether answers that are not plain numbers count as equal only if their texts are.
        n_unscored: number of scores that are missing.
        not_enough: whether the selected answer is that the problem does not give enough information.
    """
    n = len(answers)
    answered = [i for i, answer in enumerate(answers) if answer is not None]

    def find() -> Iterator[SearchWarning]:
        scores = [trajectories[i].scores for i in answered or range(n)]
        newest = [of_particle[-1] for of_particle in scores if of_particle]
        if newest and max(newest) < DOUBTFUL:
            yield SearchWarning(
                "low_scores",
                f"The reward model considers every solution wrong: its highest score is {max(newest):.2g}. Do not "
                "rely on the result: check it by hand, or use models that know this kind of problem.",
            )
        if not_enough:
            yield SearchWarning(
                "not_enough_information",
                "The solutions that won the vote state that the problem does not give enough information, so that there is no "
                "answer. The distribution shows how many particles found one. Check whether the problem lacks a number.",
            )
        solutions = {id(trajectories[i].steps[-1]): classes[i] for i in answered}
        if len(solutions) >= MIN_SOLUTIONS and len(set(solutions.values())) == len(solutions):
            yield SearchWarning(
                "answers_differ",
                f"All {len(solutions)} solutions have different answers, so no second solution supports the selected one. "
                "Check it by hand, raise n_particles, or use a generator that knows this kind of problem.",
            )
        if len(answered) < MIN_SHARE_ANSWERED * n:
            found = (
                f"Only {len(answered)} of {n} particles ended with an answer. The others do not vote, so that share overstates "
                "the agreement."
                if answered
                else "No particle ended with an answer."
            )
            yield SearchWarning(
                "few_answers",
                f"{found} Raise max_steps, max_tokens_per_particle or max_seconds, or ask the generator in the problem to "
                r"write its final answer as \boxed{...}.",
            )
        if options.temperature < GREEDY and n > 1:
            yield SearchWarning(
                "temperature_zero",
                f"At temperature {options.temperature:g} all {n} particles write the same text, so that their agreement means "
                "nothing. Raise temperature (the default is 0.8), or set n_particles to 1.",
            )
        if not has_reward_model:
            yield SearchWarning(
                "no_reward_model",
                f"Method {options.method!r} does not use a reward model, so that no solution was checked: share counts "
                "agreement only. If you have a reward model, choose a method that uses it, such as epf.",
            )
        if outside:
            yield SearchWarning(
                "outside_training",
                "The problem is not worded like those that the models were trained on. Their answers to such problems are "
                "often wrong, also where all scores are high; the confidence allows for it. Use your own models for such "
                "problems (see docs/models.md).",
            )
        if compared_as_text:
            yield SearchWarning(
                "compared_as_text",
                "There was no time left to compare the answers as mathematics: only plain numbers and equal texts count as one "
                "answer. Other forms of one answer, such as (x+1)^2 and x^2+2x+1, may be counted apart. Raise max_seconds.",
            )
        if n_unscored:
            yield SearchWarning(
                "not_scored",
                f"{n_unscored} scores are missing, because the reward model was lost or the time was over: particles without "
                "their newest score vote with the score of the step before, or without an opinion. Check the servers of the "
                "reward model, or raise max_seconds.",
            )
        if options.logprobs and (missing := missing_log_probs(trajectories, options.top_logprobs)):
            yield SearchWarning("logprobs_missing", missing)

    return tuple(find())
