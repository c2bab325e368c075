"""Searches on a local Ray cluster. Each test runs in its own process, because Ray leaves threads and warnings behind."""

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from epf.evaluation.rows import ROW
from tests.cli.processes import EPF, ROOT
from tests.evaluation.made import results

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="extra ray is not installed"),
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def epf(out: Path, *more: str) -> dict[object, object]:
    """Results of a small run of the pair ``stories``."""
    small = ("--methods", "epf,best_of_n", "--budgets", "1,4", "--limit", "4", "--seeds", "2", "--timed", "1")
    done = run(*EPF, "eval", "--generator", "stories", "--dataset", "synthetic", *small, "--out", str(out), *more)
    assert done.returncode == 0, done.stderr
    rows = [ROW.validate_json(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row.key: results(row) for row in rows}


def test_a_cluster_gives_the_same_results_row_for_row(tmp_path: Path) -> None:
    here = epf(tmp_path / "here")
    there = epf(tmp_path / "there", "--ray", "local", "--workers", "2")
    assert len(here) == 32
    assert there == here


def test_a_worker_that_dies_comes_back_and_its_searches_are_repeated(tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "tests.evaluation.on_ray", "dies", str(tmp_path / "died"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "died").exists()
    assert done.stdout.splitlines()[-1] == "8 rows, 8 right", "Ray reports the death on the lines before"


@pytest.mark.parametrize(
    ("kind", "message"),
    [("unloadable", "A Ray worker cannot load its models: no such weights"), ("refuses", "no log probabilities")],
)
def test_an_error_of_a_worker_is_reported(kind: str, message: str, tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "tests.evaluation.on_ray", kind, str(tmp_path / "died"))
    assert done.stdout.splitlines()[-1] == message


def test_an_address_without_a_cluster(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    done = run(*EPF, "eval", "--dataset", "svamp", "--limit", "1", "--out", str(tmp_path), "--ray", address)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"epf: There is no Ray cluster at {address}: ")
