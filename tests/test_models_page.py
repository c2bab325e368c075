"""No command of docs/models.md is untested: each has a test that runs it."""

import ast

import pytest

from tests.examples import ROOT
from tests.models_page import RECORDED, RUN_BY, commands, runner_of


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
