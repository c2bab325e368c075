"""No command of docs/models.md is untested: each has a test that runs it."""

import ast
import shutil
import subprocess

import pytest

from tests.examples import ROOT, text_of
from tests.models_page import PAGE, RECORDED, RUN_BY, commands, runner_of


def test_every_command_has_a_test() -> None:
    """A pattern for a new command goes into ``tests.models_page.RUN_BY``, with the test that runs it."""
    assert [command for command in commands() if runner_of(command) is None] == []


def test_every_pattern_has_a_command() -> None:
    assert set(RUN_BY.values()) - {runner_of(command) for command in commands()} == set()


@pytest.mark.parametrize("test", sorted({RECORDED, *RUN_BY.values()}))
def test_the_tests_exist(test: str) -> None:
    file, *names = test.split("::")
    scope: ast.AST = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for name in names:
        found = [node for node in ast.iter_child_nodes(scope) if getattr(node, "name", None) == name]
        assert found, f"{test} does not exist"
        scope = found[0]


@pytest.mark.skipif(shutil.which("uv") is None, reason="the Makefile takes pip where uv is not installed")
def test_vllm_is_installed_with_uv() -> None:
    """pip had not resolved vLLM's environment after 14 minutes."""
    assert "Install vLLM with uv" in text_of(PAGE)
    recipe = subprocess.run(
        ["make", "--dry-run", "--always-make", ".venv-vllm/.installed"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert recipe.returncode == 0, recipe.stderr
    assert "uv pip install" in recipe.stdout
    assert "-m pip install" not in recipe.stdout
