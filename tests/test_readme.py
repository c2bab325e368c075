"""The commands of README and of the pages for users, run as they stand, print what the pages show, and it is right."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from epf import solve
from tests.examples import (
    PAGES,
    README,
    RIGHT,
    ROOT,
    Example,
    assert_same_json,
    assert_same_lines,
    assert_same_text,
    blocks,
    examples,
    text_of,
)
from tests.processes import running


def all_examples(start: str) -> list[Example]:
    found = [example for page in PAGES for example in examples(page, start)]
    return list({(example.command, example.shown): example for example in found}.values())


def problem_in(command: str) -> str:
    (problem,) = (problem for problem in RIGHT if problem in command)
    return problem


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which ``epf`` is the one of this checkout."""
    folder = tmp_path_factory.mktemp("bin")
    epf = folder / "epf"
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    epf.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    epf.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "EPF_DRAIN_NOTICE_S": "0"}


def test_results_are_the_measured_ones() -> None:
    table = (ROOT / "benchmarks" / "results" / "forks.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in text_of(README).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 5
    assert [row for row in rows if row not in table] == []


def test_the_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 130


def test_ci_runs_the_test_command() -> None:
    (block,) = re.findall(r"^## Test\n.*?^```\w*\n(.*?)^```", text_of(README), flags=re.MULTILINE | re.DOTALL)
    assert block == "make test\n"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_installed_from_an_index_that_lacks_it(page: str) -> None:
    assert "pip install entropic" not in text_of(page).replace("'", "").replace('"', "")


@pytest.mark.parametrize("line", [example.command for example in all_examples("make")])
def test_targets_exist(line: str) -> None:
    dry_run = ["make", "--dry-run", *shlex.split(line)[1:]]
    assert subprocess.run(dry_run, cwd=ROOT, capture_output=True, timeout=60).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("example", all_examples("epf solve"), ids=lambda example: example.command[:60])
def test_commands_solve(example: Example, shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(example.command, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"answer {RIGHT[problem_in(example.command)]} " in done.stdout
    if example.shown:
        assert_same_text(example.shown, done.stdout)


@pytest.mark.slow
def test_the_first_command_solves_as_shown(shell: dict[str, str], tmp_path: Path) -> None:
    (example,) = (example for example in examples(README, "make solve") if example.shown)
    problem = next(iter(RIGHT))
    assert f'"{problem}"' in text_of(README).replace("\n", " ")
    assert f"PROBLEM ?= {problem}" in (ROOT / "Makefile").read_text(encoding="utf-8")
    done = subprocess.run(["epf", "solve", problem], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert_same_text(example.shown or "", done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("problem", RIGHT)
def test_the_problems_are_solved_with_any_seed(problem: str) -> None:
    for seed in range(20):
        result = solve(problem, n_particles=4, seed=seed)
        assert (result.answer, result.warnings) == (RIGHT[problem], ()), seed


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.parametrize("example", all_examples("epf eval"), ids=lambda example: example.command[:60])
def test_evaluation_runs(example: Example, shell: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(example.command, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search("right (most|equally) often", done.stdout)


@pytest.fixture(scope="module")
def port(shell: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Port of a service that README's command starts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    (serve,) = (example.command for example in examples(README, "epf serve --port"))
    command = shlex.split(serve.replace("8000", port))
    folder = tmp_path_factory.mktemp("service")
    with running(command, cwd=folder, env=shell, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        assert any("running on" in line for line in server.stderr)
        yield port


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages call the service with curl")
@pytest.mark.parametrize("example", all_examples("curl"), ids=lambda example: example.command[8:60])
def test_service_answers(example: Example, port: str, tmp_path: Path) -> None:
    line = example.command.replace("8000", port)
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if example.shown:
        (assert_same_json if example.language == "json" else assert_same_lines)(example.shown, done.stdout)
    asked = [problem for problem in RIGHT if f'"{problem}"' in line]
    assert asked
    if "/score" in line:
        right = "= 28." in line
        assert all((score > 0.5) == right for score in json.loads(done.stdout)["scores"])
    else:
        answers = re.findall(r'"result":\{"answer":"(.*?)"', done.stdout) or [json.loads(done.stdout)["answer"]]
        assert sorted(answers) == sorted(RIGHT[problem] for problem in asked)


@pytest.mark.slow
def test_the_openai_example_prints_what_its_comment_shows(port: str) -> None:
    """The request that the example sends; tests/clients sends it with the real client."""
    (block,) = (block for block in blocks(README, "python") if "OpenAI" in block)
    (shown,) = re.findall(r"  # (.*)$", block, flags=re.MULTILINE)
    (model,) = re.findall(r'model="([^"]+)"', block)
    (search,) = re.findall(r"extra_body=(\{.*\})\)", block)
    body = {"model": model, "messages": [{"role": "user", "content": problem_in(block)}], **json.loads(search)}
    found = httpx.post(f"http://localhost:{port}/v1/chat/completions", json=body, timeout=60).json()["choices"][0]["search"]
    assert f"{found['answer']} {round(found['confidence'], 2)}" == shown
    assert found["answer"] == RIGHT[problem_in(block)]


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "python") if "OpenAI" not in block])
def test_python_runs(block: str, shell: dict[str, str], tmp_path: Path) -> None:
    run = [sys.executable, "-W", "error", "-c", block]
    done = subprocess.run(run, cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == RIGHT[problem_in(block)]
    for comment in re.findall(r"  # (.*)$", block, flags=re.MULTILINE):
        assert comment in done.stdout
