"""Calibrated scores: a fitted map from a reward model's probability to the fraction of steps that are correct.

``platt`` fits ``sigmoid(slope * logit + bias)`` by maximum likelihood (Platt, 1999, without his smoothing of targets). A slope
below 1 corrects an over-confident model; the order of the scores does not change. ``isotonic`` fits the best non-decreasing map
by least squares (pool adjacent violators): each block of neighbouring scores is mapped to its fraction of correct steps, and
straight lines connect the end of one block with the start of the next. It follows any shape, but needs more samples, maps
different scores to the same value, and maps a block without a wrong step to almost 1.
"""

import argparse
import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epf.core.reward_model import RewardModel, RewardModelWrapper, Score
from epf.reward_models.families.family import sigmoid

CLIP = 1e-7
"""Scores are kept this far from 0 and 1, as in the search."""

Floats = NDArray[np.float64]
Method = Literal["platt", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted map.

    Attributes:
        model: name of the reward model that it was fitted for.
        method: which of the following parameters it uses.
        slope, bias: parameters of ``platt``.
        scores, shares: corners of the map of ``isotonic``, both ascending: the two ends of each block with its level.
        n: number of labelled steps that it was fitted on.
    """

    model: str
    method: Method
    n: int
    slope: float = 1.0
    bias: float = 0.0
    scores: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def __call__(self, probability: float) -> float:
        """Return the calibrated probability, which is never quite 0 or 1."""
        if self.method == "isotonic":
            value = _interpolate(probability, self.scores, self.shares)
        else:
            p = min(max(probability, CLIP), 1 - CLIP)
            value = sigmoid(self.slope * math.log(p / (1 - p)) + self.bias)
        return min(max(value, CLIP), 1 - CLIP)

    def save(self, path: Path) -> None:
        """Write a JSON file for :meth:`load`."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file that :meth:`save` wrote.

        Raises:
            ValueError: the file is not a calibration.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            loaded = cls(**(fields | {"scores": tuple(fields["scores"]), "shares": tuple(fields["shares"])}))
            if loaded.method == "isotonic" and not 0 < len(loaded.scores) == len(loaded.shares):
                raise ValueError("a map needs a share for each of its scores")
            sound = loaded.method in ("platt", "isotonic") and all(0 <= loaded(p) <= 1 for p in (0.0, 0.5, 1.0))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is not a calibration file ({type(error).__name__}).") from error
        if not sound:
            raise ValueError(f"{path} is not a calibration file: it does not map to probabilities.")
        return loaded


class CalibratedRewardModel(RewardModelWrapper):
    """A reward model whose scores are calibrated; see :class:`epf.core.reward_model.RewardModel`.

    Raises:
        ValueError: the calibration was fitted for another model.
    """

    def __init__(self, inner: RewardModel, calibration: Calibration) -> None:
        if calibration.model != inner.name:
            raise ValueError(f"The calibration was fitted for {calibration.model!r}, not for {inner.name!r}.")
        super().__init__(inner)
        self._calibration = calibration

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Return the calibrated score."""
        score = await self._inner.score(problem, steps)
        score.check(self.name)
        return replace(score, probability=self._calibration(score.probability))


def fit(scores: ArrayLike, correct: ArrayLike, *, model: str, method: Method = "platt") -> Calibration:
    """Fit a map on labelled steps.

    Args:
        scores: ``(n,)`` in [0, 1].
        correct: ``(n,)``, whether all steps up to the scored one are correct.
        model: name of the reward model.
        method: which map to fit.

    Raises:
        ValueError: a score is out of range, the shapes differ, or all labels are the same.
    """
    p, y = np.asarray(scores, np.float64), np.asarray(correct, np.float64)
    if p.shape != y.shape or p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("scores and labels must have the same length, and scores must be in [0, 1].")
    if not np.all((y == 0) | (y == 1)) or len(np.unique(y)) < 2:
        raise ValueError("labels must be true or false, with at least one of each.")
    if method == "isotonic":
        corners, shares = _isotonic(p, y)
        return Calibration(model, method, len(p), scores=tuple(corners.tolist()), shares=tuple(shares.tolist()))
    slope, bias = _platt(p, y)
    return Calibration(model, method, len(p), slope=slope, bias=bias)


def expected_calibration_error(scores: ArrayLike, correct: ArrayLike, n_bins: int = 10) -> float:
    """Mean gap between score and fraction of correct steps over bins of equal width, weighted by their size; a fraction."""
    return float(sum(abs(row[0] - row[1]) * row[2] for row in reliability(scores, correct, n_bins)))


def reliability(scores: ArrayLike, correct: ArrayLike, n_bins: int = 10) -> Floats:
    """Mean score, fraction correct and fraction of all steps for each bin that is not empty, ``(bins, 3)``."""
    p, y = np.asarray(scores, np.float64), np.asarray(correct, np.float64)
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    return np.array(
        [(p[bins == b].mean(), y[bins == b].mean(), (bins == b).mean()) for b in range(n_bins) if (bins == b).any()]
    )


def _platt(p: Floats, y: Floats) -> tuple[float, float]:
    """Minimize the convex mean log loss of the map by Newton's method, with halved steps where it overshoots."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    x = np.column_stack([np.log(clipped / (1 - clipped)), np.ones_like(p)])

    def loss(w: Floats) -> float:
        z = x @ w
        return float(np.mean(np.logaddexp(0, z) - y * z))

    w = np.array([1.0, 0.0])
    for _ in range(100):
        q = 0.5 * (1 + np.tanh(0.5 * (x @ w)))
        gradient = x.T @ (q - y) / len(y)
        # The small ridge matters only if the labels are separable and the slope is unbounded.
        hessian = (x.T * (q * (1 - q))) @ x / len(y) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while loss(w - step) > loss(w) and np.abs(step).max() > 1e-12:
            step = step / 2
        w = w - step
        if np.abs(step).max() < 1e-10:
            break
    return float(w[0]), float(w[1])


def _interpolate(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Height at ``x`` of the lines through ascending corners, level beyond them.

    Unlike ``np.interp`` it has no slope, which overflows between corners as close as 1e-310.
    """
    above = bisect_right(xs, x)
    if above in (0, len(xs)):
        return ys[max(above - 1, 0)]
    (x0, x1), (y0, y1) = xs[above - 1 : above + 1], ys[above - 1 : above + 1]
    return min(y0 + (x - x0) / (x1 - x0) * (y1 - y0), y1)


def _isotonic(p: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Pool adjacent violators: the first and last score of each block, once if they are the same, and its fraction correct."""
    values, place = np.unique(p, return_inverse=True)
    right, count = np.bincount(place, weights=y), np.bincount(place)
    blocks: list[tuple[float, float, float, int]] = []  # first score, last score, number correct, number
    for value, n_right, n in zip(values.tolist(), right.tolist(), count.tolist(), strict=True):
        first = value
        while blocks and blocks[-1][2] * n >= n_right * blocks[-1][3]:
            first, _, more_right, more = blocks.pop()
            n_right, n = n_right + more_right, n + more
        blocks.append((first, value, n_right, n))
    corners = [(score, n_right / n) for first, last, n_right, n in blocks for score in sorted({first, last})]
    scores, shares = np.array(corners).T
    return scores, shares


def main() -> None:
    """Fit on a file of labelled steps: ``python -m epf.reward_models.calibration samples.jsonl --model NAME --out FILE``."""
    parser = argparse.ArgumentParser(description="Fit a calibration on JSON Lines with `score` and `correct`.")
    parser.add_argument("samples", type=Path)
    parser.add_argument("--model", required=True, help="name of the reward model")
    parser.add_argument("--method", choices=("platt", "isotonic"), default="platt")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.samples.read_text(encoding="utf-8").splitlines() if line.strip()]
    scores, correct = [row["score"] for row in rows], [row["correct"] for row in rows]
    calibration = fit(scores, correct, model=arguments.model, method=arguments.method)
    calibration.save(arguments.out)
    after = [calibration(score) for score in scores]
    before_, after_ = (100 * expected_calibration_error(s, correct) for s in (scores, after))
    print(f"{len(rows)} steps: expected calibration error {before_:.1f} % before, {after_:.1f} % after, on the same steps")


if __name__ == "__main__":
    main()
