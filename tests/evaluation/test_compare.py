import pytest

from epf.core.errors import InvalidRequest
from epf.evaluation.report.compare import Run, compare_runs
from tests.evaluation.made import row

N = 50


def run(better: int, *, digest: str = "", method: str = "epf", **settings: object) -> Run:
    asked = {"cells": [[method, 4]], "problems": {str(i): digest for i in range(N)}, **settings}
    return asked, [row(str(i), method, correct=i < better) for i in range(N)]


def test_runs_are_compared_pair_by_pair() -> None:
    page = compare_runs(run(20, temperature=0.5), run(35, temperature=0.8))
    assert "- temperature: 0.5 and 0.8" in page
    assert "| epf | 4 | 40.0 (" in page
    assert "| +30.0 (" in page
    assert "| better |" in page


def test_only_common_problems_are_compared() -> None:
    settings, rows = run(N)
    shorter = {**settings, "problems": {str(i): "" for i in range(10)}}
    assert "10 problems, 10 pairs" in compare_runs((settings, rows), (shorter, rows[:10]))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (run(10, digest="other problems of the same ids"), "no problem"),
        (run(10, method="pf"), "no method at the same budget"),
        ((run(10)[0], []), "no pair of problem and seed"),
    ],
)
def test_runs_with_nothing_in_common_are_refused(other: Run, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        compare_runs(run(10), other)
