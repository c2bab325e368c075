import asyncio

import pytest

from epf.evaluation.profile.halving import MAX_SEEDS, compare, halve
from epf.evaluation.profile.trials import Candidate
from tests.evaluation.profile.table import Table

BASE = Candidate("base", 8)
OTHERS = tuple(Candidate(f"other {i}", 8) for i in range(10))


def better(name: str, by: float) -> Table:
    return Table(300, lambda one: 0.4 + by * (one.name == name))


def test_the_best_is_found_and_every_rung_has_the_default_and_the_problems_of_the_one_before() -> None:
    trials = better("other 6", 0.4)
    best, rung = asyncio.run(halve(trials, BASE, OTHERS, range(200), 900))
    assert best.name == "other 6"
    assert rung.gains["other 6"].mean == pytest.approx(0.4, abs=0.15)
    assert [len(names) - 1 for names, _, _ in trials.calls] == [10, 5, 2]
    assert all(names[0] == "base" and "other 6" in names for names, _, _ in trials.calls)
    stops = [problems.stop for _, problems, _ in trials.calls]
    assert stops == sorted(stops)
    assert {problems.start for _, problems, _ in trials.calls} == {0}
    assert 700 <= trials.searched <= 900


def test_the_default_stays_where_nothing_is_ahead_of_it() -> None:
    best, _ = asyncio.run(halve(Table(300, lambda one: 0.9 if one == BASE else 0.3), BASE, OTHERS, range(200), 900))
    assert best == BASE
    best, _ = asyncio.run(halve(Table(300, lambda one: 1.0), BASE, OTHERS, range(200), 900))
    assert best == BASE


def test_few_problems_are_searched_with_several_seeds_and_few_searches_still_compare() -> None:
    trials = better("other 0", 0.2)
    rung = asyncio.run(compare(trials, BASE, OTHERS[:1], range(20, 30), 25))
    assert (rung.n_problems, rung.n_seeds) == (10, 2)
    assert trials.calls[-1][1] == range(20, 30)
    assert asyncio.run(compare(trials, BASE, OTHERS[:1], range(10), 1000)).n_seeds == MAX_SEEDS
    assert asyncio.run(compare(trials, BASE, OTHERS[:1], range(10), 0)).n_problems == 1
