"""The table of one reader and two, from rows that are known."""

from benchmarks.readers import BUDGETS, METHODS, lines, page
from tests.evaluation.made import row


def test_gains_are_paired_with_the_same_method_and_with_filtering_by_one_reader() -> None:
    seeds = [(f"p{i}", seed) for i in range(20) for seed in (0, 1)]
    one = [row(p, m, n, s, correct=p < "p1") for p, s in seeds for m in METHODS for n in (4, *BUDGETS)]
    two = [row(p, m, n, s, correct=m != "epf") for p, s in seeds for m in METHODS for n in BUDGETS]
    found, n_searches = lines(one, two)
    assert n_searches == 40
    by_cell = {(line.method, line.n): line for line in found}
    assert [(by_cell[m, 8].one.mean, by_cell[m, 8].two.mean) for m in METHODS] == [(0.05, 0.0), (0.05, 1.0), (0.05, 1.0)]
    assert by_cell["epf", 16].gain.mean == by_cell["epf", 16].over_reference.mean == -0.05
    assert by_cell["dvts", 16].gain.verdict == "better"
    assert "| `pf` | 8 | 5.0 | 100.0 |" in page(found, n_searches)
