import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.evaluation.rows import ROW, Row
from epf.evaluation.store import open_store, read_run
from tests.evaluation.made import DEAD, OUTAGE, row
from tests.processes import running

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "dataset": "made",
    "methods": ["pf", "epf"],
    "cells": [["pf", 4], ["epf", 4]],
    "seeds": 2,
    "search": {"temperature": 0.5},
    "problems": {"a": "1"},
}


def written(directory: Path) -> list[Row]:
    return [ROW.validate_json(line) for line in (directory / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("a"), row("b", seconds=0.25), row("c", correct=False, error=DEAD)]
    with open_store(tmp_path / "new" / "run", SETTINGS) as store:
        for one in rows:
            store.add(one)
    with open_store(tmp_path / "new" / "run", SETTINGS) as store:
        assert list(store.rows.values()) == rows
    assert read_run(tmp_path / "new" / "run") == (SETTINGS, rows)
    assert [path.name for path in (tmp_path / "new" / "run").glob("*.jsonl")] == ["results.jsonl"]


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_torn_last_row_is_dropped_and_written_again(cut: int, tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS) as store:
        store.add(row("a"))
        store.add(row("b"))
    path = tmp_path / "results.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    assert len(read_run(tmp_path)[1]) == 1
    with open_store(tmp_path, SETTINGS) as store:
        assert [key[0] for key in store.rows] == ["a"]
        store.add(row("b"))
    assert path.read_bytes() == first + second


def test_a_failure_is_on_disk_until_it_is_retried(tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS) as store:
        store.add(row("a", correct=False, error=OUTAGE))
        store.add(row("b"))
    assert [one.error for one in written(tmp_path)] == [OUTAGE, None]
    with open_store(tmp_path, SETTINGS) as store:
        assert [key[0] for key in store.rows] == ["b"]
        store.add(row("a"))
    assert [(one.problem, one.error) for one in written(tmp_path)] == [("b", None), ("a", None)]


def test_damage_in_the_middle_is_reported_and_nothing_is_lost(tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS) as store:
        store.add(row("a"))
        store.add(row("b"))
    path = tmp_path / "results.jsonl"
    damaged = path.read_text(encoding="utf-8").replace('"problem":"a"', '"problem":', 1)
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"Row 1 of .*results\.jsonl is damaged"), open_store(tmp_path, SETTINGS):
        pass
    assert path.read_text(encoding="utf-8") == damaged


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS):
        pass
    other = {**SETTINGS, "seeds": 3, "problems": {"a": "2"}}
    with (
        pytest.raises(InvalidRequest, match=r"other settings \(seeds: 2 and 3; the problems differ\)"),
        open_store(tmp_path, other),
    ):
        pass
    assert json.loads((tmp_path / "run.json").read_text()) == SETTINGS


@pytest.mark.parametrize(
    "more",
    [
        {"seeds": 3},
        {"problems": {"a": "1", "b": "2"}},
        {"methods": ["best_of_n", "pf", "epf"], "cells": [["best_of_n", 4], ["epf", 4], ["pf", 4], ["pf", 8]]},
    ],
)
def test_an_extended_run_resumes_from_its_rows_and_cannot_be_reduced(more: dict[str, Any], tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS) as store:
        store.add(row("a"))
    grown = {**SETTINGS, **more}
    with open_store(tmp_path, grown) as store:
        assert [key[0] for key in store.rows] == ["a"]
    assert read_run(tmp_path)[0] == grown
    with pytest.raises(InvalidRequest, match="other settings"), open_store(tmp_path, SETTINGS):
        pass
    assert read_run(tmp_path)[0] == grown


@pytest.mark.parametrize(
    "other",
    [
        {"seeds": 3, "search": {}},
        {"seeds": 3, "cells": [["pf", 4]]},
        {"problems": {"a": "2", "b": "2"}},
        {"problems": {"b": "2"}, "seeds": 3},
        {"seeds": 3, "timed": 5},
    ],
)
def test_an_extension_of_another_run_is_refused(other: dict[str, Any], tmp_path: Path) -> None:
    with open_store(tmp_path, SETTINGS):
        pass
    with pytest.raises(InvalidRequest, match="other settings"), open_store(tmp_path, {**SETTINGS, **other}):
        pass
    assert read_run(tmp_path)[0] == SETTINGS


def test_rows_without_settings_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("{}\n")
    with pytest.raises(InvalidRequest, match=r"rows but no run\.json"), open_store(tmp_path, SETTINGS):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


def test_a_second_writer_is_refused_and_a_killed_one_releases_its_lock(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from epf.evaluation.store import open_store
with open_store(Path({str(tmp_path)!r}), {SETTINGS!r}):
    print("open", flush=True)
    input()
"""
    pipe, command = subprocess.PIPE, [sys.executable, "-c", code]
    with running(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        with pytest.raises(InvalidRequest, match="Another `epf eval` is writing"), open_store(tmp_path, SETTINGS):
            pass
        first.kill()
        first.wait(60)
    with open_store(tmp_path, SETTINGS) as store:
        assert not store.rows


def test_a_directory_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="does not hold a run"):
        read_run(tmp_path)
