"""A fitted confidence: evidence in, the probability that the answer is right out.

Evidence means different things inside and outside of what a model was trained on. A small model that has seen a few hundred
wordings is right whenever its reward model is sure of a problem in these words, and wrong half the time when it is as sure of
another one. Where the wordings are known, a map therefore mixes two fits::

    P(right) = P(inside) P(right | evidence, inside) + P(outside) P(right | evidence, outside)

where P(outside) depends on the wording of the problem alone. Without known wordings the first fit is the whole map.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from epf.core.errors import InvalidRequest
from epf.search.confidence.evidence import Evidence
from epf.search.confidence.familiarity import Wordings
from epf.search.confidence.features import features, novelty_features
from epf.search.confidence.logistic import Logistic
from epf.search.confidence.unfitted import unfitted


@dataclass(frozen=True, slots=True)
class Fit:
    """Probabilities that an answer is right, for searches with scores and without; None where no such search was fitted."""

    scored: Logistic | None
    unscored: Logistic | None

    def __call__(self, evidence: Evidence, values: Mapping[str, float]) -> float:
        """Return the probability for the features ``values`` of the evidence, or the unfitted confidence."""
        logistic = self.unscored if evidence.score is None else self.scored
        return unfitted(evidence) if logistic is None else logistic(values)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a map knows about problems other than those that the models were trained on.

    Attributes:
        wordings: those of the problems that the models were trained on.
        outside: probability that a problem is another one, by its novelty.
        limit: a problem of which ``outside`` says more than this is surely another one; few known wordings have more.
        fit: for such problems; it reads the novelty too.
    """

    wordings: Wordings
    outside: Logistic
    limit: float
    fit: Fit

    def probability(self, problem: str) -> float:
        """Return the probability that a problem is unlike those that the models were trained on, by its text."""
        return self.outside(novelty_features(self.wordings.novelty(problem)))


@dataclass(frozen=True, slots=True)
class ConfidenceMap:
    """A fitted map.

    Attributes:
        generator, reward_model: names of the models that it was fitted for; None for searches without a reward model.
        n_searches: number of searches that it was fitted on.
        recipe: how it was fitted.
        fit: for all problems or, if ``elsewhere`` is there, for those that the models were trained on.
        elsewhere: for the others.
    """

    generator: str
    reward_model: str | None
    n_searches: int
    recipe: str
    fit: Fit
    elsewhere: Outside | None = None

    def __call__(self, problem: str, evidence: Evidence) -> float:
        """Return the probability that the answer is right, which is never quite 0 or 1."""
        values = features(evidence)
        inside = self.fit(evidence, values)
        if self.elsewhere is None:
            return inside
        values |= novelty_features(self.elsewhere.wordings.novelty(problem))
        outside = self.elsewhere.outside(values)
        return (1 - outside) * inside + outside * self.elsewhere.fit(evidence, values)

    def check(self, generator: str, reward_model: str | None) -> None:
        """Raise ``InvalidRequest`` if the map was fitted for other models; ``reward_model`` is None in a search without one."""
        if generator != self.generator or reward_model not in (None, self.reward_model):
            message = f"The confidence map was fitted for {self.generator!r}{_with(self.reward_model)}, not for {generator!r}"
            message += _with(reward_model)
            raise InvalidRequest(f"{message}: fit one for these models with epf calibrate, or leave it out", param="confidence")

    def surely_outside(self, problem: str) -> bool:
        """Whether a problem is surely unlike those that the models were trained on; never where the map does not know them."""
        return self.elsewhere is not None and self.elsewhere.probability(problem) > self.elsewhere.limit


def _with(reward_model: str | None) -> str:
    return "" if reward_model is None else f" with {reward_model!r}"
