import pytest

from epf.evaluation.report.ceilings import Ceilings
from epf.evaluation.report.figures import report_of
from epf.evaluation.report.text import markdown
from epf.evaluation.rows import Row
from tests.evaluation.made import row
from tests.evaluation.test_report import SETTINGS

N = 40
CELLS = [("epf", 4), ("self_consistency", 4)]


def made(n_right: int | None = 1) -> list[Row]:
    """A quarter of independent samples is right, always one of four; epf holds right particles for three quarters, its answer
    is right for half."""
    rows = [row(str(i), "self_consistency", 4, correct=i % 4 == 0, n_right=n_right) for i in range(N)]
    return rows + [row(str(i), "epf", 4, correct=i % 2 == 0, n_right=3 * (i % 4 != 1)) for i in range(N)]


def ceilings_of(rows: list[Row], cells: list[tuple[str, int]] = CELLS) -> Ceilings:
    found = report_of(rows, cells).ceilings
    assert found is not None
    return found


def test_any_right_bounds_the_answer_and_efficiency_is_the_share_of_its_gain() -> None:
    found = ceilings_of(made())
    filtered, independent = found.cells
    assert found.one_sample is not None
    assert (found.one_sample.mean, found.sampled_by) == (0.25, "self_consistency at 4")
    assert (filtered.any_right.mean, filtered.missed) == (0.75, 0.25)
    assert filtered.efficiency == pytest.approx((0.5 - 0.25) / (0.75 - 0.25))
    assert (independent.any_right.mean, independent.efficiency) == (1.0, 0.0)


def test_one_sample_is_known_only_from_solutions_that_nothing_selected() -> None:
    found = ceilings_of(made(), [("epf", 4)])
    assert (found.one_sample, found.cells[0].efficiency, found.cells[0].missed) == (None, None, 0.25)
    alone = [row(str(i), "epf+lookahead=reuse", 1, correct=i % 5 == 0, n_right=int(i % 5 == 0)) for i in range(N)]
    found = ceilings_of([*made(), *alone], [("epf", 4), ("epf+lookahead=reuse", 1)])
    assert found.one_sample is not None
    assert (found.one_sample.mean, found.sampled_by) == (0.2, "epf+lookahead=reuse at 1")
    assert found.cells[1].efficiency is None  # any right is one sample: there is nothing to select


def test_rows_that_did_not_count_right_particles_have_no_ceilings() -> None:
    assert report_of(made(None), CELLS).ceilings is None
    assert report_of([], CELLS).ceilings is None


def test_the_page_shows_them() -> None:
    page = markdown(report_of(made(), CELLS), SETTINGS, (), {})
    assert "## Ceilings" in page
    assert "| epf | 4 | 50.0 | 75.0 (" in page
    assert "| 25.0 | 50 |" in page
    assert "(self_consistency at 4)" in page
    assert "## Ceilings" not in markdown(report_of(made(None), CELLS), SETTINGS, (), {})
