"""The repository's own rules: what make and CI run, what tests may do, what no file holds."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plain_english import finds

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GENERATED = {"build", "dist", "runs", "site", "__pycache__"}


def make(*arguments: str, probe: str = "", **environ: str) -> str:
    """Runs make on the Makefile and on further lines, and returns what it prints."""
    done = subprocess.run(
        ["make", "--silent", "--file", "-", *arguments],
        cwd=ROOT,
        input=f"include Makefile\n{probe}",
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    return loaded


def test_make_passes_the_problem_on_as_typed() -> None:
    typed = 'It\'s $5 "each" $(HOME) `x` a\\b $$ #c'
    probe = "probe:\n\t@printf '%s' \"$$PROBLEM\"\n"
    assert make("probe", f"PROBLEM={typed}", probe=probe) == typed
    assert make("probe", probe=probe, PROBLEM=typed) == typed


def test_make_without_a_target_lists_every_target() -> None:
    (phony,) = re.findall(r"^\.PHONY: (help .*(?:\n\.PHONY: .*)*)", MAKEFILE, flags=re.MULTILINE)
    targets = set(phony.replace(".PHONY:", "").split())
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # `make test` may run this
    printed = subprocess.run(["make"], cwd=ROOT, env=outside, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {line.split()[1] for line in printed.splitlines()} == targets


def test_ci_on_the_hosting_platform_runs_the_targets_of_make_check() -> None:
    (check,) = re.findall(r"^check: (.*?) ##", MAKEFILE, flags=re.MULTILINE)
    assert workflow("ci.yml")["jobs"]["check"]["strategy"]["matrix"]["target"] == check.split()


def test_pre_commit_runs_the_versions_that_make_lint_installs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    revisions = {hook["repo"].rsplit("/", 1)[-1]: hook.get("rev", "").removeprefix("v") for hook in hooks}
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for tool, repository in {"ruff": "ruff-pre-commit", "typos": "typos"}.items():
        assert f'"{tool}~={revisions[repository]}"' in pyproject


@pytest.mark.slow
def test_no_file_names_a_path_of_its_author_s_machine() -> None:
    marks = re.compile("|".join(("/ro" + "ot/", "/wo" + "rk/", "/ho" + r"me/\w", "scr" + "atch/")))
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        made = any(part.startswith(".") or part.endswith(".egg-info") or part in GENERATED for part in parts[:-1])
        made = made or path.name.startswith(".coverage")
        if not made and path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".jinja", ".sh", ".yml", ""}:
            assert not marks.search(path.read_text(encoding="utf-8")), path


def endless(path: Path) -> Iterator[str]:
    """Yields the places that start a process and may wait for its end for ever."""
    waits = {"run", "call", "check_call", "check_output"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("subprocess"), attr=attribute), keywords=keywords, lineno=line):
                limited = "timeout" in {keyword.arg for keyword in keywords}
                if attribute == "Popen" or (attribute in waits and not limited):
                    yield f"{path.relative_to(ROOT)}:{line}"
            case ast.Call(func=ast.Attribute(attr="communicate"), args=[], keywords=[], lineno=line):
                yield f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.slow
def test_no_test_waits_for_a_process_without_a_limit() -> None:
    """Only ``tests.processes.running`` starts a process that runs next to a test, and vLLM's servers, which tests restart."""
    own = {ROOT / "tests" / "processes.py", ROOT / "tests" / "vllm" / "serve.py"}
    assert [place for path in (ROOT / "tests").rglob("*.py") if path not in own for place in endless(path)] == []


@pytest.mark.slow
def test_nothing_that_a_person_reads_holds_a_phrase_that_plain_english_avoids() -> None:
    assert list(finds()) == []
