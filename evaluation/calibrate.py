"""Fits a confidence map on the rows of an evaluation, for ``epf calibrate``."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epf.core.errors import InvalidRequest
from epf.evaluation.plan import EXACT_LABELS
from epf.evaluation.rows import Row
from epf.reward_models.calibration import expected_calibration_error
from epf.search.confidence.evidence import Evidence
from epf.search.confidence.features import SIGNS, features
from epf.search.confidence.fit import Sample, fit
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.confidence.unfitted import unfitted

MIN_PROBLEMS = 50
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fitted:
    """A map and how well it does.

    Attributes:
        map: fitted on all searches.
        n_searches, n_problems: what it was fitted on.
        ece_unfitted, ece_held_out: expected calibration error, as a fraction, of the unfitted form, and of maps that were
            fitted on other problems, four fifths of them at a time.
    """

    map: ConfidenceMap
    n_searches: int
    n_problems: int
    ece_unfitted: float
    ece_held_out: float


def calibrate(rows: Sequence[Row], recipe: str) -> Fitted:
    """Fit a map on the searches that found an answer.

    Raises:
        InvalidRequest: the rows are too few, all right or all wrong, of several pairs of models, or of a version that did not
            record evidence.
    """
    used = answered(rows)
    pairs = {row.models for row in used}
    if len(pairs) != 1 or (models := pairs.pop()) is None:
        raise InvalidRequest(f"The rows are those of {len(pairs)} pairs of models: calibrate one pair.", param="run")
    n_problems = len({row.problem for row in used})
    if n_problems < MIN_PROBLEMS:
        message = f"Only {n_problems} problems have an answer, at least {MIN_PROBLEMS} are needed: evaluate more problems."
        raise InvalidRequest(message, param="run")
    if len({row.correct for row in used}) < 2:
        raise InvalidRequest(
            "All answers are right, or all are wrong: evaluate problems of which some are solved.", param="run"
        )

    def fitted(some: Sequence[Row]) -> ConfidenceMap:
        return ConfidenceMap(*models, len(some), recipe, fit(samples_of(some), SIGNS))

    held_out: dict[int, ConfidenceMap] = {k: fitted([row for row in used if _fold(row) != k]) for k in range(FOLDS)}
    return Fitted(
        map=fitted(used),
        n_searches=len(used),
        n_problems=n_problems,
        ece_unfitted=_ece(used, lambda _row, evidence: unfitted(evidence)),
        ece_held_out=_ece(used, lambda row, evidence: held_out[_fold(row)](row.problem, evidence)),
    )


def answered(rows: Sequence[Row]) -> list[Row]:
    """The rows that conclude something, apart from those whose steps were scored by exact labels.

    Raises:
        InvalidRequest: a row with an answer has no evidence.
    """
    used = [row for row in rows if (row.answer is not None or row.evidence is not None) and row.method != EXACT_LABELS]
    if any(row.evidence is None for row in used):
        message = "The run was made by a version that did not record what a confidence is computed from"
        raise InvalidRequest(f"{message}: repeat it with another --out.", param="run")
    return used


def samples_of(rows: Sequence[Row]) -> list[Sample]:
    """The answered searches as samples, in which every problem counts the same."""
    n_rows = Counter(row.problem for row in rows)
    return [
        Sample(features(row.evidence), row.evidence.score is not None, row.correct, 1 / n_rows[row.problem])
        for row in rows
        if row.evidence is not None
    ]


def _fold(row: Row) -> int:
    """All searches of a problem belong to one fold."""
    return hashlib.blake2b(row.problem.encode(), digest_size=4).digest()[0] % FOLDS


def _ece(rows: Sequence[Row], confidence: Callable[[Row, Evidence], float]) -> float:
    found = [confidence(row, row.evidence) for row in rows if row.evidence is not None]
    return expected_calibration_error(found, [row.correct for row in rows])
