"""The ceiling of exact labels: particle filtering whose reward model knows which steps are right."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest, RewardModelError
from epf.evaluation.calibrate import answered
from epf.evaluation.exact_labels import ExactLabels
from epf.evaluation.plan import EXACT_LABELS, make_plan, read_contenders
from epf.evaluation.run import Evaluation, evaluate, open_run
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import load_problems
from epf.service.searches.models import open_models
from epf.service.settings import Settings


def evaluation(folder: Path, **more: Any) -> Evaluation:
    chosen: dict[str, Any] = {"methods": "pf", "budgets": (1, 4), "seeds": 1, "limit": 3, "timed": 1, "exact_labels": True}
    return Evaluation("synthetic", folder / "run", **{**chosen, **more})


def test_it_is_a_row_of_the_ceilings_and_of_nothing_else(tmp_path: Path) -> None:
    asked = evaluation(tmp_path)
    report = asyncio.run(evaluate(asked, lambda: open_models(Settings())))
    assert report.ceilings is not None
    assert [(cell.method, cell.budget) for cell in report.ceilings.cells] == [("pf", 1), ("pf", 4), (EXACT_LABELS, 4)]
    assert {cell.method for cell in report.cells} == {"pf"}
    assert "is particle filtering whose reward model knows" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    with open_run(asked) as run:
        exact = [row for row in run.rows if row.method == EXACT_LABELS]
        assert len(exact) == 3
        assert {score for row in exact for one in row.traced for score in one.scores} <= {0.0, 1.0}
        assert all(one.right == (one.scores[-1] == 1.0) for row in exact for one in row.traced)
        assert not any(row.method == EXACT_LABELS for row in answered(run.rows))
        assert run.is_complete


def test_its_searches_do_not_stand_for_others(tmp_path: Path) -> None:
    """Nine rows, three of them with exact labels, are not the nine of a run with another method."""
    asyncio.run(evaluate(evaluation(tmp_path), lambda: open_models(Settings())))
    with open_run(evaluation(tmp_path, exact_labels=False)) as run:
        assert (run.is_complete, len(run.rows), run.plan.n_tasks) == (True, 9, 6)
    with open_run(evaluation(tmp_path, budgets=(1, 2, 4), exact_labels=False)) as run:
        assert (run.is_complete, run.plan.n_tasks) == (False, 9)


def test_problems_without_labels_are_refused() -> None:
    unlabelled = [Problem("1", "What is 1 + 1?", "2")]
    with pytest.raises(InvalidRequest, match="leave out --exact-labels"):
        make_plan(unlabelled, read_contenders("pf"), (4,), seeds=1, timed=0, options={}, exact_labels=True)


def test_labels_are_those_of_the_problem() -> None:
    first, second = load_problems("synthetic", 2)
    model = ExactLabels(first)
    assert asyncio.run(model.score(first.text, ["nonsense"])).probability == 0.0
    with pytest.raises(RewardModelError, match="not known"):
        asyncio.run(model.score(second.text, ["nonsense"]))
