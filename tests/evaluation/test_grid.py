import numpy as np
import pytest

from epf.evaluation.report.grid import grid_of
from tests.evaluation.made import DEAD, OUTAGE, row

CELLS = [("epf", 1), ("epf", 4), ("pf", 4)]


def test_a_problem_counts_with_its_mean_over_seeds() -> None:
    rows = [row("a", seed=0), row("a", seed=1, correct=False), row("b", seed=0), row("b", seed=1)]
    grid = grid_of(rows, [("epf", 4)])
    assert grid.right["epf", 4].tolist() == [0.5, 1.0]
    assert grid.n_searches == 4


def test_only_pairs_that_are_complete_are_used() -> None:
    whole = [row("a", method, n) for method, n in CELLS]
    missing = [row("b", method, n) for method, n in CELLS[:2]]
    failed = [row("c", method, n, error=OUTAGE if n == 1 else None) for method, n in CELLS]
    grid = grid_of([*whole, *missing, *failed, row("a", "other", 4)], CELLS)
    assert {found.problem for found in grid.rows} == {"a"}
    assert (grid.n_searches, grid.n_incomplete) == (1, 2)
    assert all(values.size == 1 for values in grid.right.values())


def test_a_search_without_an_answer_to_find_counts_as_wrong() -> None:
    grid = grid_of([row("a"), row("b", correct=False, error=DEAD)], [("epf", 4)])
    assert grid.right["epf", 4].tolist() == [1.0, 0.0]


def test_accuracy_between_budgets_is_linear_in_the_logarithm_of_tokens() -> None:
    rows = [row("a", "epf", 1, tokens=100, correct=False), row("a", "epf", 4, tokens=400)]
    grid = grid_of(rows, [("epf", 1), ("epf", 4)])

    def at(tokens: float) -> float | None:
        values = grid.at_tokens("epf", tokens)
        return None if values is None else float(values[0])

    assert at(100) == 0
    assert at(200) == pytest.approx(0.5)
    assert at(400) == 1
    assert at(100 * 4**0.25) == pytest.approx(0.25)
    assert at(410) == 1, "a little beyond what was measured"
    assert at(98) == 0
    assert at(80) is None
    assert at(500) is None


def test_interpolation_keeps_problems_apart() -> None:
    rows = [row(p, "epf", n, tokens=100 * n, correct=(p == "a") == (n == 4)) for p in "ab" for n in (1, 4)]
    values = grid_of(rows, [("epf", 1), ("epf", 4)]).at_tokens("epf", 100 * 4**0.25)
    assert values is not None
    assert np.allclose(values, [0.25, 0.75])
