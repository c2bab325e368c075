import json
from dataclasses import asdict
from pathlib import Path

import pytest

from epf.evaluation.report.figures import Report, report_of
from epf.evaluation.report.pictures import PICTURES, draw
from epf.evaluation.report.text import markdown
from epf.evaluation.rows import Rounds, Row, ScoredSolution
from tests.evaluation.made import DEAD, OUTAGE, row

N = 60
CELLS = [("epf", 1), ("epf", 4), ("best_of_n", 1), ("best_of_n", 4)]
SETTINGS = {
    "dataset": "made",
    "seeds": 1,
    "search": {"temperature": 0.5},
    "generator": {"kind": "embedded", "name": None},
    "reward_model": {"kind": "embedded"},
    "problems": {str(i): "" for i in range(N)},
}


def made_rows() -> list[Row]:
    """epf at 4 solves every problem, best of n at 4 all but a fifth for twice the tokens, one particle every second one."""
    rows = []
    for i in range(N):
        for method, budget in CELLS:
            right = i % 2 == 0 if budget == 1 else method == "epf" or i % 5 > 0
            tokens = 50 * budget * (1 if method == "epf" else 2)
            rounds = Rounds((budget / 2,) * 2, (0.5,) * 2, (1.5, 1.0), (budget, 1)) if method == "epf" else None
            traced = (ScoredSolution(1, right, (0.9, 0.8 if right else 0.2)),) if method == "epf" and budget == 1 else ()
            seconds = budget / 10 if i < 3 else None
            rows.append(
                row(str(i), method, budget, correct=right, tokens=tokens, rounds=rounds, traced=traced, seconds=seconds)
            )
    return rows


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(made_rows(), CELLS)


def test_cells_hold_accuracy_cost_and_latency(report: Report) -> None:
    first, second, _, _ = report.cells
    assert (first.method, first.budget, first.accuracy.mean, first.generated_tokens) == ("epf", 1, 0.5, 50)
    assert second.accuracy.mean == 1.0
    assert second.accuracy.low < 1
    assert (second.seconds, second.slowest_seconds, second.n_timed) == (0.4, 0.4, 3)


def test_methods_are_compared_with_the_first_at_the_same_budget(report: Report) -> None:
    one, four = report.same_budget
    assert (one.method, one.reference, one.budget, one.verdict) == ("best_of_n", "epf", 1, "tie")
    assert (four.budget, four.verdict) == (4, "worse")
    assert four.difference.mean == pytest.approx(-0.2)


def test_methods_are_compared_at_the_same_tokens_where_both_were_measured(report: Report) -> None:
    # best_of_n took 100 tokens at 1 and 400 at 4: at the 200 of epf at 4 it is half way between 0.5 and 0.8.
    (found,) = report.same_tokens
    assert (found.tokens, found.budget, found.verdict) == (200, None, "worse")
    assert found.difference.mean == pytest.approx(0.65 - 1.0)


def test_advice_names_the_most_accurate_and_the_cheapest_that_ties_with_it(report: Report) -> None:
    assert report.advice is not None
    assert report.advice.best == report.advice.cheapest == ("epf", 4)
    tied = report_of([*made_rows(), *(row(str(i), "pf", 2, tokens=90, correct=i != 7) for i in range(N))], [*CELLS, ("pf", 2)])
    assert tied.advice is not None
    assert (tied.advice.best, tied.advice.cheapest) == (("epf", 4), ("pf", 2))


def test_rounds_are_means_of_the_largest_budget_as_fractions_of_n(report: Report) -> None:
    first, second = report.rounds
    assert (first.method, first.budget, first.t, first.ess, first.temperature) == ("epf", 4, 1, 0.5, 1.5)
    assert (second.t, second.distinct_ancestors) == (2, 0.25)


def test_calibration_uses_searches_that_select_nothing(report: Report) -> None:
    assert report.calibration is not None
    assert not report.calibration.selected
    first, second = report.calibration.depths
    assert (first.depth, first.n_problems, first.ended_right) == (1, N, 0.5)
    assert first.mean_score == pytest.approx(0.9)
    assert first.overconfidence.mean == pytest.approx(0.4)
    assert first.overconfidence.verdict == "better"
    assert second.mean_score == pytest.approx(0.5)
    assert second.overconfidence.verdict == "tie"


def test_independent_solutions_of_one_problem_have_a_slope_at_each_depth() -> None:
    """The first score says nothing and the second is right four times in five; the searches of a filter do not count."""
    kinds = (True, (0.5, 0.8)), (True, (0.5, 0.2)), (False, (0.5, 0.2)), (False, (0.5, 0.8))
    free = tuple(ScoredSolution(4 if right == (scores[1] > 0.5) else 1, right, scores) for right, scores in kinds)
    filtered = (ScoredSolution(4, True, (0.1, 0.1)), ScoredSolution(4, False, (0.9, 0.9)))
    sampled, epf = "best_of_n+aggregation=mean", "epf"
    rows = [row(str(i), m, budget=10, traced=t) for i in range(N) for m, t in ((sampled, free), (epf, filtered))]
    report = report_of(rows, [(epf, 10), (sampled, 10)])
    assert report.calibration is not None
    first, second = (depth.slope for depth in report.calibration.depths)
    assert first == pytest.approx(1.0, abs=0.2)  # no comparison, so only its neighbour and the prior
    assert second == pytest.approx(0.86, abs=0.02)  # the conditional estimate of a table of 4, 1, 1 and 4; in all it is 1
    assert "| slope within a problem |" in markdown(report, SETTINGS, (), {})


def test_calibration_of_resampled_solutions_is_marked_and_counts_copies_once() -> None:
    traced = (ScoredSolution(3, True, (0.9,)), ScoredSolution(1, False, (0.5,)))
    again = (ScoredSolution(4, True, (0.9,)),)
    rows = [row(str(i), method, traced=t) for i in range(N) for method, t in (("epf", traced), ("pf", again))]
    found = report_of(rows, [("epf", 4), ("pf", 4)]).calibration
    assert found is not None
    assert found.selected
    assert found.depths[0].mean_score == pytest.approx(0.7)
    assert found.depths[0].ended_right == 0.5
    assert found.depths[0].n_solutions == 2 * N


def test_the_page_names_what_is_missing() -> None:
    rows = [*made_rows(), row("x", *CELLS[0], error=OUTAGE)]
    rows[0] = row("0", *CELLS[0], correct=False, error=DEAD)
    page = markdown(report_of(rows, CELLS), SETTINGS, ["beam at budget 1: too few"], {})
    assert "1 searches failed with `generator_error`" in page
    assert "1 searches ended with `all_particles_dead` and count as wrong" in page
    assert "1 pairs are incomplete and left out" in page
    assert "Left out: beam at budget 1: too few" in page


def test_warnings_are_counted_with_the_share_of_right_answers() -> None:
    rows = [row("a", correct=False, warnings=("low_scores", "few_answers")), row("b", warnings=("few_answers",))]
    rows += [row("c"), row("d"), row("e", correct=False, warnings=None)]
    found = report_of(rows, [("epf", 4)])
    assert [(w.code, w.n_searches, w.right) for w in found.warnings] == [
        ("few_answers", 2, 0.5),
        ("low_scores", 1, 0.0),
        (None, 2, 1.0),
    ]
    page = markdown(found, SETTINGS, [], {})
    assert "| `few_answers` | 2 | 50.0 |\n| `low_scores` | 1 | 0.0 |\n| none | 2 | 100.0 |" in page
    assert "Warnings" not in markdown(report_of([row("a"), row("b")], [("epf", 4)]), SETTINGS, [], {})


def test_a_run_without_a_complete_pair_has_a_page_too(tmp_path: Path) -> None:
    empty = report_of([row("a", *CELLS[0])], CELLS)
    assert "Nothing to report yet" in markdown(empty, SETTINGS, [], {})
    assert draw(empty, tmp_path) == {}


def test_the_page_shows_the_figures_of_the_report(report: Report) -> None:
    page = markdown(report, SETTINGS, [], {"Latency": "latency.png"})
    assert "**epf at 4** was right most often: 100.0 %, 200 tokens per search. It is better than everything cheaper." in page
    assert "| best_of_n | 4 | -20.0 (" in page
    assert "| best_of_n | 200 tokens | -35.0 (" in page
    assert "temperature 0.5" in page
    assert "![Latency](latency.png)" in page
    json.dumps(asdict(report), allow_nan=False)


def advice(*cells: tuple[str, int, float]) -> str:
    """What the page advises for methods at budget 4 with these tokens per search and shares of right answers."""
    names = [(method, 4) for method, _, _ in cells]
    rows = [row(str(i), m, 4, tokens=tokens, correct=i < share * N) for m, tokens, share in cells for i in range(N)]
    return markdown(report_of(rows, names), SETTINGS, [], {}).split("\n\n")[2]


def test_the_advice_shows_ties_as_ties_and_claims_no_more_than_the_run_shows() -> None:
    assert advice(("epf", 100, 0.9)) == "**epf at 4** is the only method and budget: 90.0 % right, 100 tokens per search."
    assert advice(("epf", 100, 0.0)) == "No search was right, so there is no method or budget to prefer."
    assert advice(("epf", 100, 0.0), ("pf", 90, 0.0)) == "No search was right, so there is no method or budget to prefer."
    all_equal = "All methods and budgets were right equally often, 60.0 %; the cheapest is **pf at 4**, 90 tokens per search."
    assert advice(("epf", 100, 0.6), ("pf", 90, 0.6)) == all_equal
    names = "**pf at 4** and **epf at 4**"
    two = f"{names} were right most often, 60.0 % each; the cheapest of them is **pf at 4**, 90 tokens per search."
    assert advice(("epf", 100, 0.6), ("pf", 90, 0.6), ("beam", 50, 0.2)) == f"{two} It is better than everything cheaper."
    assert advice(("epf", 100, 0.6), ("pf", 90, 0.6), ("beam", 150, 0.2)) == f"{two} Nothing is cheaper."
    tied = "**beam at 4** is the cheapest that ties with them: 55.0 %, 50 tokens per search."
    assert advice(("epf", 100, 0.6), ("pf", 90, 0.6), ("beam", 50, 0.55)) == f"{two} {tied}"
    one = "**epf at 4** was right most often: 60.0 %, 100 tokens per search."
    assert advice(("epf", 100, 0.6), ("beam", 50, 0.2)) == f"{one} It is better than everything cheaper."
    assert advice(("epf", 100, 0.6), ("beam", 100, 0.2)) == f"{one} Nothing is cheaper."
    assert advice(("epf", 100, 0.6), ("beam", 50, 0.55)) == f"{one} {tied.replace('them', 'it')}"


def test_the_confidence_is_compared_with_what_is_right() -> None:
    rows = [row(str(i), correct=i < 8, confidence=0.95) for i in range(10)]
    rows += [row(str(i), budget=1, correct=i < 1, confidence=0.25) for i in range(10)]
    found = report_of(rows, [("epf", 4), ("epf", 1)]).confidence
    assert found is not None
    large, small = found.cells
    assert (large.mean, large.right, large.ece, large.n_sure, large.sure_right) == pytest.approx((0.95, 0.8, 0.15, 10, 0.8))
    assert (small.mean, small.right, small.ece) == pytest.approx((0.25, 0.1, 0.15))
    assert (small.n_sure, small.sure_right) == (0, None)
    assert found.ece == pytest.approx(0.15)
    assert [(b.mean, b.right, b.share) for b in found.bins] == [
        pytest.approx((0.25, 0.1, 0.5)),
        pytest.approx((0.95, 0.8, 0.5)),
    ]
    page = markdown(report_of(rows, [("epf", 4), ("epf", 1)]), SETTINGS, [], {})
    assert "| epf | 4 | 95.0 | 80.0 | 15.0 | 10 | 80.0 |" in page
    assert "over all searches together it is 15.0 %" in page


def test_shares_of_older_runs_are_not_taken_for_confidences() -> None:
    assert report_of([row(str(i), evidence=None) for i in range(N)], [("epf", 4)]).confidence is None


@pytest.mark.slow
def test_every_picture_is_drawn(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert list(draw(report, tmp_path)) == list(PICTURES)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == sorted(name for name, _ in PICTURES.values())
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
