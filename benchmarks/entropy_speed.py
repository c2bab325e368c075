"""Running time of each entropy tool by input size: ``python -m benchmarks.entropy_speed`` writes docs/entropy/speed.md.

To add a tool, add an entry to ``CASES``. The exponent is the slope of log time over log size between the two largest sizes; 1
is linear. Times are the best of three runs of the plain function on existing arrays.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np

from epf.entropy.attention.maths import bins_of, penalties, row_entropies
from epf.entropy.coupling.maths import costs, coupling, entropic_plan, matches, uniform
from epf.entropy.epiplexity.ngram import ngrams
from epf.entropy.features.maths import effective_features, effective_values
from epf.entropy.maxent.maths import maxent
from epf.entropy.ranking.maths import ranking
from epf.entropy.rate_distortion.maths import Task, folds_of, rate
from epf.entropy.reconstruction.maths import reconstruction
from epf.entropy.tokens.maths import Clip, Drawn, entropy_change, steer_weights

OUT = Path(__file__).parents[1] / "docs" / "entropy" / "speed.md"
SIZES = (10**3, 10**4, 10**5, 10**6)
N_RUNS = 3
HEADING = """# Running time of the entropy tools

Best of three runs in seconds, by the size of the input. The exponent is the slope of log time over log size between the two
largest sizes; 1 is linear.

"""

Job = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A measurement: ``make`` creates an input of a given size, in ``unit``, and returns the work on it."""

    tool: str
    unit: str
    make: Callable[[int, np.random.Generator], Job]
    largest: int = SIZES[-1]


def _attention(n: int, rng: np.random.Generator) -> Job:
    maps = rng.exponential(size=(n // 100, 10, 10))
    maps /= maps.sum(axis=-1, keepdims=True)

    def work() -> object:
        heads = row_entropies(maps).mean(axis=-1)
        return bins_of(heads), penalties(heads, 10, theta=0.5, gamma=0.2)

    return work


def _coupling(n: int, rng: np.random.Generator) -> Job:
    side = round(n**0.5)
    x, y = rng.normal(size=(2, side, 16))

    def work() -> object:
        cost = costs(x, y, "euclidean")
        return coupling(cost, 1.0, uniform(side), uniform(side)), matches(cost, 1.0, uniform(side), uniform(side))

    return work


def _plan(n: int, rng: np.random.Generator) -> Job:
    side = round(n**0.5)
    x, y = rng.normal(size=(2, side, 16))
    cost = costs(x, y, "euclidean")
    return lambda: entropic_plan(cost, 1.0, uniform(side), uniform(side))


def _features(n: int, rng: np.random.Generator) -> Job:
    codes = rng.exponential(size=(n // 100, 100))
    return lambda: effective_features(codes, resamples=400, rng=rng)


def _answers(n: int, rng: np.random.Generator) -> Job:
    counts = np.bincount(rng.integers(0, 100, n))
    return lambda: effective_values(counts, resamples=400, rng=rng)


def _reconstruction(n: int, rng: np.random.Generator) -> Job:
    columns = {f"c{k}": rng.integers(0, 8, n).tolist() for k in range(4)}
    return lambda: reconstruction(columns, "c0")


def _ranking(n: int, rng: np.random.Generator) -> Job:
    student, teacher = rng.normal(size=(2, n // 8, 8))
    right = rng.integers(0, 8, n // 8)
    return lambda: ranking(student, teacher, right)


def _rate_distortion(n: int, rng: np.random.Generator) -> Job:
    vectors = rng.normal(size=(n // 16, 16))
    rows = np.arange(n // 16)
    scores, folds, groups = vectors[:, :1], folds_of(rows), rows // 8

    def work() -> object:
        return Task(vectors, scores, folds, groups).decisions(rate(vectors, 0.5, "factorised", folds).values)

    return work


def _long_ranking(n: int, rng: np.random.Generator) -> Job:
    student, teacher = rng.normal(size=(2, 1, n))
    return lambda: ranking(student, teacher, np.zeros(1, dtype=np.intp))


def _tokens(n: int, rng: np.random.Generator) -> Job:
    drawn = Drawn(-rng.exponential(size=n), rng.exponential(size=n))
    advantage, on_policy = rng.normal(size=n), np.zeros(n)

    def work() -> object:
        return steer_weights(
            entropy_change(drawn, advantage, on_policy, form="theorem", clip=Clip()), "linear", low=0.8, high=1.2
        )

    return work


def _ngrams(n: int, rng: np.random.Generator) -> Job:
    sequences = list(rng.zipf(1.5, (n // 100, 100)) % 100)
    return lambda: list(ngrams(sequences, 100))


def _maxent(n: int, rng: np.random.Generator) -> Job:
    features = rng.normal(size=(n, 3))
    return lambda: maxent(features, np.full(3, 0.5), np.zeros(n))


CASES = (
    Case("attention", "numbers in maps of 10 tokens", _attention),
    Case("coupling", "pairs of vectors of 16 numbers", _coupling),
    Case("coupling", "pairs, entropic plan for given costs", _plan),
    Case("epiplexity", "symbols in 6 orders, 100 each", _ngrams),
    Case("features", "activations, 100 features, 400 resamples", _features),
    Case("features", "answers of 100 kinds, 400 resamples", _answers),
    Case("maxent", "rows of 3 features", _maxent),
    Case("ranking", "candidates, 8 per problem", _ranking),
    Case("ranking", "candidates of one problem", _long_ranking),
    Case("rate-distortion", "numbers, 16 per row, at one step size", _rate_distortion),
    Case("reconstruction", "traces with 4 columns of 8 values", _reconstruction),
    Case("tokens", "tokens", _tokens),
)


def measure(case: Case) -> list[float | None]:
    """Seconds at each size; None beyond the largest size of the case."""
    times: list[float | None] = []
    for n in SIZES:
        if n > case.largest:
            times.append(None)
            continue
        job = case.make(n, np.random.default_rng(0))
        runs = []
        for _ in range(N_RUNS):
            began = time.perf_counter()
            job()
            runs.append(time.perf_counter() - began)
        times.append(min(runs))
    return times


def row(case: Case, times: list[float | None]) -> str:
    """One line of the table."""
    known = [(n, t) for n, t in zip(SIZES, times, strict=True) if t is not None]
    (n0, t0), (n1, t1) = known[-2:]
    cells = ["" if t is None else f"{t:.3g}" for t in times]
    return f"| {case.tool} | {case.unit} | {' | '.join(cells)} | {log(t1 / t0) / log(n1 / n0):.2f} |"


def main() -> None:
    """Measures all cases and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    head = f"| tool | unit of size | {' | '.join(f'{n:,} (s)' for n in SIZES)} | exponent |"
    lines = [head, "|---" * (3 + len(SIZES)) + "|"]
    for case in CASES:
        lines.append(row(case, measure(case)))
        print(lines[-1], flush=True)
    args.out.write_text(HEADING + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
