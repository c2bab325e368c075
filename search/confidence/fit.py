"""Fits a confidence on searches whose answers are known to be right or wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epf.search.confidence.fitted import Fit
from epf.search.confidence.logistic import Logistic, fit_logistic

MIN_SAMPLES = 50
"""Fewer searches with scores, or without, are not fitted."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A search with an answer.

    Attributes:
        values: features of its evidence, by name.
        scored: whether a reward model scored its solutions.
        right: whether the answer is right.
        weight: how much it counts, above 0. The searches of one problem are not independent evidence, so they share its weight.
    """

    values: Mapping[str, float]
    scored: bool
    right: bool
    weight: float


def fit(samples: Sequence[Sample], signs: Mapping[str, int]) -> Fit:
    """Fit searches with scores and searches without, each if there are enough of them with right and with wrong answers.

    ``signs`` names the features that are read; see :func:`~epf.search.confidence.logistic.fit_logistic`.
    """
    return Fit(*(_fit([sample for sample in samples if sample.scored == scored], signs) for scored in (True, False)))


def _fit(samples: Sequence[Sample], signs: Mapping[str, int]) -> Logistic | None:
    right = [sample.right for sample in samples]
    if len(samples) < MIN_SAMPLES or len(set(right)) < 2:
        return None
    return fit_logistic([sample.values for sample in samples], right, [sample.weight for sample in samples], signs)
