"""The game of Countdown, enumerated: all states within reach, every move, and the policy's exact probability of success."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from epf.search.smc.weights import BoolArray, FloatArray, IntArray

SEES_LAST, SEES_NEXT = 0.8, 0.35
"""Probability that the policy sees a move to the target, and a move that leaves the target within reach."""

LARGEST_NUMBER = 20
TARGETS = 10, 100

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Depth:
    """All states with the same number of numbers left, ``(s,)``.

    Attributes:
        first, count: range of each state's moves in ``to``.
        to: state of the next depth that each move leads to, ``(m,)``.
        seen: probability that the policy sees a good move of each state.
        good_first, good_count: range of each state's good moves in ``good``.
        good: states that good moves lead to.
        values: probability of success from each state.
    """

    first: IntArray
    count: IntArray
    to: IntArray
    seen: FloatArray
    good_first: IntArray
    good_count: IntArray
    good: IntArray
    values: FloatArray

    def move(self, states: IntArray, rng: np.random.Generator) -> IntArray:
        """The policy's moves from ``states``, of any shape: states of the next depth."""
        sees = rng.random(states.shape) < self.seen[states]
        u = rng.random(states.shape)
        at_random = self.first[states] + (u * self.count[states]).astype(np.intp)
        good = self.good_first[states] + (u * self.good_count[states]).astype(np.intp)
        return np.where(sees, self.good[np.minimum(good, self.good.size - 1)], self.to[at_random])


@dataclass(frozen=True, slots=True)
class Game:
    """One problem: its depths from all numbers to two, and whether each last number is the target, ``(s,)``."""

    depths: tuple[Depth, ...]
    hits: BoolArray


def moves(numbers: Numbers) -> tuple[IntArray, Numbers]:
    """Every legal move of all states ``(s, k)``: the state that it belongs to, ``(m,)``, and what it leaves, ``(m, k - 1)``."""
    owners, left = [], []
    for i in range(numbers.shape[1]):
        for j in range(i):
            rest = np.delete(numbers, (i, j), axis=1)
            high, low = np.maximum(numbers[:, i], numbers[:, j]), np.minimum(numbers[:, i], numbers[:, j])
            always = np.ones(high.size, np.bool_)
            results = ((high + low, always), (high * low, always), (high - low, high > low), (high // low, high % low == 0))
            for result, legal in results:
                owners.append(np.flatnonzero(legal))
                left.append(np.column_stack([rest, result])[legal])
    return np.concatenate(owners), np.sort(np.concatenate(left), axis=1)


def enumerate_game(n_numbers: int, rng: np.random.Generator) -> Game:
    """A new problem; its target is the result of a random game, so that it can be reached."""
    while True:
        numbers = np.sort(rng.integers(1, LARGEST_NUMBER + 1, (1, n_numbers)), axis=1)
        target = _played(numbers, rng)
        if TARGETS[0] <= target <= TARGETS[1]:
            return game(numbers, target)


def game(numbers: Numbers, target: int) -> Game:
    """Enumerate the game with these numbers ``(1, k)``."""
    levels, edges = [numbers], []
    while levels[-1].shape[1] > 1:
        owners, left = moves(levels[-1])
        level, to = np.unique(left, axis=0, return_inverse=True)
        order = np.argsort(owners, kind="stable")
        edges.append((owners[order], to.ravel()[order]))
        levels.append(level)
    hits = levels[-1][:, 0] == target
    good, values = hits, hits.astype(np.float64)
    depths: list[Depth] = []
    for level, (owners, to) in zip(levels[-2::-1], reversed(edges), strict=True):
        is_good = good[to]
        count = np.bincount(owners, minlength=len(level))
        good_count = np.bincount(owners[is_good], minlength=len(level))
        sees = {2: SEES_LAST, 3: SEES_NEXT}.get(level.shape[1], 0.0)
        seen = np.where(good_count > 0, sees, 0.0)
        values_there = values[to]
        at_random = np.bincount(owners, weights=values_there, minlength=len(level)) / count
        by_sight = np.bincount(owners, weights=values_there * is_good, minlength=len(level)) / np.maximum(good_count, 1)
        values = seen * by_sight + (1.0 - seen) * at_random
        good = good_count > 0
        first, good_first = np.cumsum(count) - count, np.cumsum(good_count) - good_count
        depths.append(Depth(first, count, to, seen, good_first, good_count, to[is_good], values))
    return Game(tuple(reversed(depths)), hits)


def _played(numbers: Numbers, rng: np.random.Generator) -> int:
    while numbers.shape[1] > 1:
        _, left = moves(numbers)
        numbers = left[rng.integers(len(left))][None]
    return int(numbers[0, 0])
