"""The map of a pair with the wordings that it knows, from rows on problems in these wordings and on others."""

from collections.abc import Mapping, Sequence

import numpy as np

from epf.evaluation.calibrate import answered, samples_of
from epf.evaluation.rows import Row
from epf.search.confidence.familiarity import Wordings
from epf.search.confidence.features import NOVELTY_SIGNS, SIGNS, novelty_features
from epf.search.confidence.fit import Sample, fit
from epf.search.confidence.fitted import ConfidenceMap, Outside
from epf.search.confidence.logistic import fit_logistic

RECIPE = "python -m epf.training.confidence"
KNOWN_ABOVE_LIMIT = 1 / 200
"""Share of the known wordings that the limit takes for surely other ones."""


def fit_pair(
    inside: Sequence[Row],
    outside: Sequence[Row],
    texts: Sequence[Mapping[str, str]],
    known: Sequence[str],
    fresh: Sequence[str],
) -> ConfidenceMap:
    """Fit the map.

    Args:
        inside: rows on problems like those that the models were trained on.
        outside: rows on other problems.
        texts: text of every problem of ``outside`` by its id, for each source of such problems.
        known: texts that define the known wordings.
        fresh: other texts in the same wordings. A problem is taken to be as likely one of these as one of ``outside``, and
            from each source of the latter with the same probability.
    """
    here, there = answered(inside), answered(outside)
    wordings = Wordings.of(known)
    novelty = {id: novelty_features(wordings.novelty(text)) for source in texts for id, text in source.items()}
    of_fresh = [novelty_features(wordings.novelty(text)) for text in fresh]
    samples = [
        Sample({**sample.values, **novelty[row.problem]}, sample.scored, sample.right, sample.weight)
        for row, sample in zip(there, samples_of(there), strict=True)
    ]
    is_outside = fit_logistic(
        [*novelty.values(), *of_fresh],
        [True] * len(novelty) + [False] * len(fresh),
        [1 / len(texts) / len(source) for source in texts for _ in source] + [1 / len(fresh)] * len(fresh),
        NOVELTY_SIGNS,
    )
    limit = float(np.quantile([is_outside(values) for values in of_fresh], 1 - KNOWN_ABOVE_LIMIT))
    (models,) = {row.models for row in (*here, *there)}
    assert models is not None, "rows with an answer name their models"
    return ConfidenceMap(
        *models,
        len(here) + len(there),
        RECIPE,
        fit(samples_of(here), SIGNS),
        Outside(wordings, is_outside, limit, fit(samples, {**SIGNS, **NOVELTY_SIGNS})),
    )
