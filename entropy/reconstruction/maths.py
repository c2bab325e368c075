"""Whether one variable can be recovered from others, or information is provably lost, and which of the others are redundant.

Delsol et al., arXiv 2306.15540; the operations are in :mod:`epf.entropy.core.lattice`. The paper considers
X = X1 v ... v Xn with all Xi functions of X. By its Theorem 1, sum d(X, Xi) <= n - 1 with Rajski's distance d and equality iff
the Xi are independent; by Theorem 2 the condition is also sufficient for independent Xi; by Theorem 3, with
delta = d(X, X1 v ... v Xn) > 0, delta < sum d <= n - 1 + delta.

Our extension: the target may carry less information than the columns together (a column of traces is seldom a function of the
answer). The conditions then apply to the whole state, target and columns together, of which every column is a function: the
state can be recovered from the columns exactly if the target can. The search for a sufficient subset is also ours.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, combinations
from typing import Literal

import numpy as np

from epf.entropy.core.checks import refuse, same_length, too_few
from epf.entropy.core.information import IntArray, entropy_of_counts
from epf.entropy.core.lattice import (
    TOLERANCE,
    codes_of,
    complement,
    conditional_entropy,
    entropy_of,
    join,
    meet,
    n_values,
    rajski_distance,
    sample_of_each,
    shannon_distance,
)

SEARCH_BUDGET = 20_000_000
"""Maximum product of subsets and distinct rows for which all subsets of the columns are tried."""

Verdict = Literal["exact", "impossible", "incomplete"]


@dataclass(frozen=True, slots=True)
class Column:
    """One variable.

    Attributes:
        n_values: number of distinct values.
        entropy: H.
        distance: d to the variable that is recovered.
        dependency: rho = 1 - d.
        information: mutual information with the target.
        lost_without: loss of information if this column is removed, H(target | others) - H(target | all).
    """

    name: str
    n_values: int
    entropy: float
    distance: float
    dependency: float
    information: float
    lost_without: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variables: their distances, mutual information, and H of their join and their meet."""

    a: str
    b: str
    shannon: float
    rajski: float
    information: float
    join: float
    meet: float


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """The result of :func:`reconstruction`. Information is in nats.

    Attributes:
        target_entropy: H(target). columns, pairs: each column; each pair of columns, and each pair of a column and the target.
        recovers: the variable to which the conditions apply: the target if all columns are functions of it, otherwise the
        state. sum_distance, bound: sum d(X, Xi) and n - 1. delta: d(X, join of all columns); 0 if X is recovered. independent:
        whether the columns are independent, so that the condition is also sufficient. verdict: exact: the columns determine the
        target in this sample. impossible: sum d > n - 1, so that no combination of the
            columns can. incomplete: the condition holds, but the columns do not determine the target.
        unknown: H(target | all columns).
        missing_values, missing_entropy: number of values and H of a label that would complete the columns (the complementary
            information of their join in the state); 1 and 0 if nothing is missing.
        sufficient: columns that together carry as much information about the target as all columns.
        sufficient_is_smallest: True if no smaller set does; False if it is only known that none of these can be removed.
    """

    target_entropy: float
    columns: tuple[Column, ...]
    pairs: tuple[Pair, ...]
    recovers: Literal["target", "state"]
    sum_distance: float
    bound: float
    delta: float
    independent: bool
    verdict: Verdict
    unknown: float
    missing_values: int
    missing_entropy: float
    sufficient: tuple[str, ...]
    sufficient_is_smallest: bool
    warnings: tuple[str, ...]


def reconstruction(columns: Mapping[str, Sequence[Hashable]], target: str, *, min_count: int = 1) -> Reconstruction:
    """Whether ``target`` can be recovered from the other columns, with one label per sample each.

    Pairs of values that occur fewer than ``min_count`` times do not count towards the meets.

    Raises:
        InvalidRequest: The target is not one of at least two columns, or they are empty or of different lengths.
    """
    if target not in columns:
        raise refuse("target", "is not one of the columns", f"choose one of {', '.join(columns)}")
    names = [name for name in columns if name != target]
    if not names:
        raise refuse("columns", "has no column other than the target", "add a column to recover it from")
    for name in columns:
        same_length(f"columns.{name}", columns[name], f"columns.{target}", columns[target])
    if not columns[target]:
        raise refuse("columns", "has no samples", "give one label per trace")

    codes = {name: codes_of(labels) for name, labels in columns.items()}
    wanted = codes[target]
    joined = reduce(join, (codes[name] for name in names))
    functions = all(conditional_entropy(codes[name], wanted) < TOLERANCE for name in names)
    whole = wanted if functions else join(joined, wanted)

    distances = [rajski_distance(whole, codes[name]) for name in names]
    sum_distance, bound = sum(distances), len(names) - 1.0
    missing = complement(joined, join(joined, wanted))
    distinct = _Distinct(codes, names, target)
    unknown = distinct.unknown(names)
    sufficient, is_smallest = _sufficient(distinct, names)
    return Reconstruction(
        target_entropy=entropy_of(wanted),
        columns=tuple(
            Column(
                name,
                n_values(codes[name]),
                entropy_of(codes[name]),
                distance,
                1.0 - distance,
                information=max(0.0, entropy_of(wanted) - distinct.unknown([name])),
                lost_without=max(0.0, distinct.unknown([other for other in names if other != name]) - unknown),
            )
            for name, distance in zip(names, distances, strict=True)
        ),
        pairs=tuple(_pair(codes, a, b, min_count) for a, b in combinations([*names, target], 2)),
        recovers="target" if functions else "state",
        sum_distance=sum_distance,
        bound=bound,
        delta=rajski_distance(whole, joined),
        independent=abs(sum(entropy_of(codes[name]) for name in names) - entropy_of(joined)) < TOLERANCE,
        verdict="exact" if unknown < TOLERANCE else "impossible" if sum_distance > bound + TOLERANCE else "incomplete",
        unknown=unknown,
        missing_values=n_values(missing),
        missing_entropy=entropy_of(missing),
        sufficient=sufficient,
        sufficient_is_smallest=is_smallest,
        warnings=tuple(_warnings(wanted, joined, target)),
    )


def _pair(codes: Mapping[str, IntArray], a: str, b: str, min_count: int) -> Pair:
    x, y = codes[a], codes[b]
    h_x, h_y, both = entropy_of(x), entropy_of(y), entropy_of(join(x, y))
    return Pair(
        a,
        b,
        shannon_distance(x, y),
        rajski_distance(x, y),
        information=max(0.0, h_x + h_y - both),
        join=both,
        meet=entropy_of(meet(x, y, min_count=min_count)),
    )


class _Distinct:
    """The distinct rows of the columns and their counts, whose number is small for any number of samples."""

    def __init__(self, codes: Mapping[str, IntArray], names: Sequence[str], target: str) -> None:
        rows = reduce(join, codes.values())
        distinct = sample_of_each(rows)
        self._counts = np.bincount(rows)
        self._codes = {name: codes[name][distinct] for name in names}
        self._target = codes[target][distinct]

    @property
    def n_rows(self) -> int:
        return self._target.size

    def unknown(self, names: Sequence[str]) -> float:
        """H(target | these columns), exactly zero within rounding."""
        joined = reduce(join, (self._codes[name] for name in names), np.zeros_like(self._target))
        joint, alone = (entropy_of_counts(np.bincount(x, self._counts)) for x in (join(joined, self._target), joined))
        return joint - alone if joint - alone > TOLERANCE else 0.0


def _sufficient(distinct: _Distinct, names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Columns that carry as much information about the target as all columns, and whether no smaller set does."""
    enough = distinct.unknown(names) + TOLERANCE
    if 2 ** len(names) * distinct.n_rows <= SEARCH_BUDGET:
        subsets = chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))
        return next(subset for subset in subsets if distinct.unknown(subset) <= enough), True
    left = list(names)
    for name in names:
        fewer = [other for other in left if other != name]
        if distinct.unknown(fewer) <= enough:
            left = fewer
    return tuple(left), False


def _warnings(wanted: IntArray, joined: IntArray, target: str) -> list[str]:
    n_wanted, n_joined = n_values(wanted), n_values(joined)
    return [*too_few(f"`{target}`", wanted.size, n_wanted), *too_few("all columns together", joined.size, n_joined)]
