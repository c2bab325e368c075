"""The same seeds give the same results: a few searches of the benchmark of methods, with the pair ``stories``.

Four rows differ from benchmarks/results/methods, which is older: their copies were drawn before survivors kept their slots.

Discrete results must be equal; scores and weights may differ by what another CPU rounds differently.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from epf.evaluation.plan import make_plan, read_contenders
from epf.evaluation.rows import ROW
from epf.evaluation.worker import Worker
from epf.problem_sets.registry import load_problems
from epf.service.searches.models import open_models
from epf.service.settings import Settings

RECORDED: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("same_seeds.jsonl").read_text(encoding="utf-8").splitlines()
]
N_PROBLEMS = 40
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def searched() -> list[dict[str, Any]]:
    """The rows of the same searches, in the same order."""
    problems = {problem.id: problem for problem in load_problems("synthetic", N_PROBLEMS)}

    async def search_again() -> list[dict[str, Any]]:
        rows = []
        async with open_models(Settings(generator="stories")) as models:
            worker = Worker(models)
            for row in RECORDED:
                contenders = read_contenders(row["method"])
                plan = make_plan(
                    [problems[row["problem"]]], contenders, [row["budget"]], seeds=row["seed"] + 1, timed=0, options={}
                )
                (task,) = [task for group in plan.groups() for task in group if task.seed == row["seed"]]
                rows.append(ROW.dump_python(await worker.run(task), mode="json"))
        return rows

    return asyncio.run(search_again())


@pytest.mark.parametrize("index", range(len(RECORDED)), ids=[f"{row['method']}-{row['budget']}" for row in RECORDED])
def test_a_search_gives_its_recorded_result(index: int, searched: list[dict[str, Any]]) -> None:
    recorded, found = RECORDED[index], searched[index]
    assert found["error"] is None
    assert exact({name: found[name] for name in recorded}) == exact(recorded)
    assert floats(found) == pytest.approx(floats(recorded), abs=TOLERANCE)


def exact(row: Mapping[str, Any]) -> dict[str, Any]:
    """The results that rounding does not change."""
    return {
        **{name: value for name, value in row.items() if not isinstance(value, float)},
        "rounds": row["rounds"]["distinct_ancestors"],
        "traced": [(traced["copies"], traced["right"], len(traced["scores"])) for traced in row["traced"]],
    }


def floats(row: Mapping[str, Any]) -> list[float]:
    """All other numbers of a row."""
    rounds = [value for name in ("ess", "entropy", "temperature") for value in row["rounds"][name]]
    return [row["share"], *rounds, *(score for traced in row["traced"] for score in traced["scores"])]
