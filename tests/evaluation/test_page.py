"""The data of a run's page: paired figures of any two methods, the outcome of every search, and what can be drawn."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from epf.core.errors import InvalidRequest
from epf.evaluation.plan import EXACT_LABELS
from epf.evaluation.report import page
from epf.evaluation.report.page import page_data
from epf.evaluation.report.pairs import pairs_of
from epf.evaluation.report.statistics import difference
from epf.evaluation.rows import ROW, Row, ScoredSolution
from epf.problem_sets.registry import load_problems
from tests.evaluation.made import DEAD, OUTAGE, row

CELLS = [("pf", 4), ("epf+lookahead=reuse", 4), ("beam", 4), ("beam", 8)]
TRACED = (ScoredSolution(3, True, (0.5, 0.9)), ScoredSolution(1, False, (0.4,)))


def write(directory: Path, rows: Sequence[Row], **changes: object) -> Path:
    """A run on the first problems of ``svamp``."""
    problems = load_problems("svamp", 3)
    settings = {
        "dataset": "svamp",
        "methods": list(dict.fromkeys(method for method, _ in CELLS)),
        "cells": CELLS,
        "seeds": 1,
        "search": {"temperature": 0.5},
        "generator": {"kind": "embedded", "name": None},
        "reward_model": {"kind": "embedded", "name": None},
        "problems": {problem.id: problem.digest for problem in problems},
    }
    (directory / "run.json").write_text(json.dumps({**settings, **changes}), encoding="utf-8")
    lines = b"".join(ROW.dump_json(one) + b"\n" for one in rows)
    (directory / "results.jsonl").write_bytes(lines)
    return directory


def rows_of(*names: str) -> list[Row]:
    return [row(name, method, budget, traced=TRACED) for name in names for method, budget in CELLS]


def test_pairs_count_problems_and_have_the_report_s_interval() -> None:
    rights = {"pf": [1, 1, 0, 0, 1], "beam": [1, 0, 0, 1, 1], "epf": [0, 0, 0, 0, 1]}
    rows = [
        row(str(i), method, 4, seed, correct=bool(right))
        for method, values in rights.items()
        for i, right in enumerate(values)
        for seed in range(2)
    ]
    found = {(pair.a, pair.b): pair for pair in pairs_of(rows, [(name, 4) for name in rights])}
    assert list(found) == [("pf", "beam"), ("pf", "epf"), ("beam", "epf")]
    pair = found["pf", "epf"]
    assert (pair.n_better, pair.n_worse, pair.n_equal) == (0, 2, 3)
    assert pair.difference == difference(np.array(rights["epf"], np.float64) - np.array(rights["pf"], np.float64))
    assert found["pf", "beam"].difference.mean == 0
    assert found["pf", "beam"].verdict == "tie"


def test_methods_without_a_common_budget_are_not_paired() -> None:
    assert pairs_of([row("1", "pf", 4), row("1", "beam", 8)], [("pf", 4), ("beam", 8)]) == []
    assert pairs_of([row("1", "pf", 4)], [("pf", 4), ("beam", 4)]) == []


def test_every_search_has_its_outcome_and_its_picture(tmp_path: Path) -> None:
    names = [problem.id for problem in load_problems("svamp", 3)]
    rows = rows_of(*names[:2])
    rows += [row(names[0], "pf", 4, seed=1, correct=False, error=DEAD), row(names[1], "pf", 4, seed=1, error=OUTAGE)]
    found = json.loads(json.dumps(page_data(write(tmp_path, rows))))
    assert [problem["id"] for problem in found["problems"]] == names[:2]
    assert found["problems"][0]["text"] == load_problems("svamp", 1)[0].text
    assert {len(values) for values in found["searches"].values()} == {len(rows)}
    assert found["searches"]["row"] == list(range(1, len(rows) + 1))
    assert found["searches"]["failure"][-2] == DEAD.message
    assert set(found["results"]) == {str(number) for number in range(1, 9)}
    assert [len(particle["steps"]) for particle in found["results"]["1"]["particles"]] == [2, 2, 2, 1]
    assert "svamp" not in found["lead"][0]
    assert found["lead"][0].startswith("2 of 3 problems")


def test_a_search_that_was_repeated_counts_once(tmp_path: Path) -> None:
    name = load_problems("svamp", 1)[0].id
    rows = [row(name, "pf", 4, error=OUTAGE, correct=False), *rows_of(name)]
    searches = page_data(write(tmp_path, rows))["searches"]
    assert sorted(searches["row"]) == [2, 3, 4, 5]
    assert set(searches["failure"]) == {None}


def test_a_column_names_the_command_that_repeats_its_searches(tmp_path: Path) -> None:
    search, generator = {"temperature": 0.5, "stop": ["a b", "c"]}, {"kind": "embedded", "name": "stories"}
    directory = write(tmp_path, rows_of(load_problems("svamp", 1)[0].id), search=search, generator=generator)
    commands = [shlex.split(column["command"]) for column in page_data(directory)["columns"]]
    shared = [
        "epf",
        "solve",
        "--json",
        "--logprobs",
        "--generator",
        "stories",
        "--temperature",
        "0.5",
        "--stop",
        "a b",
        "--stop",
        "c",
    ]
    assert commands[1] == [*shared, "--method", "epf", "--lookahead", "reuse", "--n-particles", "4"]


def test_a_command_has_only_what_its_method_reads(tmp_path: Path) -> None:
    cells = [("best_of_n", 4), ("sample", 1), ("epf", 2)]
    rows = [row(load_problems("svamp", 1)[0].id, method, budget) for method, budget in cells]
    rows.append(row(rows[0].problem, EXACT_LABELS, 2, traced=TRACED))
    search = {"lookahead": "reuse", "temperature": 0.5}
    found = page_data(write(tmp_path, rows, cells=cells, search=search, profile={"odds_power": 0.7}))
    begin = "epf solve --json --logprobs"
    assert [column["command"] for column in found["columns"]] == [
        f"{begin} --temperature 0.5 --method best_of_n --n-particles 4",
        f"{begin} --temperature 0.5 --method sample",
        f'{begin} --lookahead reuse --temperature 0.5 --method epf --n-particles 2 --profile "$PROFILE"',
    ]
    assert found["results"] == {}, "a ceiling is no method of the run"


@pytest.mark.parametrize("changes", [{"dataset": "hf:somebody/set"}, {"dataset": "gone.jsonl"}, {"dataset": "gsm8k"}])
def test_texts_that_are_not_those_of_the_run_are_not_shown(changes: dict[str, str], tmp_path: Path) -> None:
    found = page_data(write(tmp_path, rows_of(load_problems("svamp", 1)[0].id), **changes))
    assert [problem["text"] for problem in found["problems"]] == [None]


def test_a_large_run_has_no_searches_in_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_SEARCH_BYTES", 100)
    assert page_data(write(tmp_path, rows_of(load_problems("svamp", 1)[0].id)))["results"] is None


def test_a_directory_without_searches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="does not hold a run"):
        page_data(tmp_path)
    with pytest.raises(InvalidRequest, match="has no searches yet"):
        page_data(write(tmp_path, []))


@pytest.mark.parametrize("settings", ["[]", "null", "{}", "[" * 100_000])
def test_a_directory_with_damaged_settings_is_refused(settings: str, tmp_path: Path) -> None:
    (write(tmp_path, rows_of("svamp-0001")) / "run.json").write_text(settings, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"run\.json"):
        page_data(tmp_path)
