"""Which rooms may import which: the arrows of the architecture, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    *("search", "generators", "reward_models", "embedded", "upstream", "entropy"),
    *("service", "cli", "evaluation", "benchmarks", "errors"),
}
MAY_IMPORT = {
    "search": {"search", "generators", "reward_models", "errors"},
    "generators": {"generators", "embedded", "errors", "reward_models", "upstream"},
    "reward_models": {"reward_models", "embedded", "errors", "generators", "upstream", "entropy"},
    "embedded": {"embedded", "generators", "reward_models", "errors"},
    "upstream": {"upstream", "errors"},
    "entropy": {"entropy", "errors"},
    "evaluation": {"evaluation", "search", "generators", "reward_models", "entropy", "errors"},
    "service": ROOMS - {"cli", "evaluation", "benchmarks"},
}


def imported(file):
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_only_what_they_may(room):
    for file in (ROOT / room).rglob("*.py"):
        rooms = {name.split(".")[0] for name in imported(file)} & ROOMS
        assert rooms <= MAY_IMPORT[room], f"{file.relative_to(ROOT)} imports {sorted(rooms - MAY_IMPORT[room])}"


def test_smc_is_pure():
    banned = {"asyncio", "logging", "os", "socket", "subprocess", "threading", "time", "datetime", "random", "urllib", "http"}
    files = list((ROOT / "search" / "smc").rglob("*.py"))
    assert files
    for file in files:
        for name in imported(file):
            top = name.split(".")[0]
            pure = top == "numpy" or name.startswith("search.smc") or (top in sys.stdlib_module_names and top not in banned)
            assert pure, f"{file.relative_to(ROOT)} imports {name}"
