"""The commands of docs/models.md, and for each of them the test that runs it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from tests.examples import blocks, examples
from tests.servers.scorers import SETUPS

PAGE = "docs/models.md"

REAL = "tests/real/test_page.py::test_commands_run"
"""Runs a command as it stands in front of a real model, whose address and name replace those of the page."""

RECORDED = "tests/reward_models/test_documented.py::test_the_documented_command_scores_with_that_server"
"""Runs a command in front of a recorded conversation, whose documentation ``tests.servers.scorers`` names."""

SEVERAL = "tests/cli/test_several_reward_models.py"

RUN_BY: Mapping[str, str] = MappingProxyType(
    {
        r"vllm serve \S+ --port 8001": "tests/real/test_page.py::test_vllm_serves_as_the_page_starts_it",
        r"llama-server -m \S+ --port 8080": "tests/real/test_page.py::test_llama_cpp_serves_what_the_page_starts",
        r"epf serve .*--reward-model \S+ --reward-model .*": f"{SEVERAL}::test_two_on_the_command_line",
        r"export EPF_REWARD_MODEL.*": f"{SEVERAL}::test_each_with_settings_of_its_own",
        r"(.|\n)*reward_model=readers(.|\n)*": f"{SEVERAL}::test_a_list_in_python",
        r"(?!.*reward-model)epf (doctor|serve|solve)\b.*": REAL,
        r"from epf import(.|\n)*": REAL,
    }
)
"""Patterns of whole commands, and the test that runs what they match."""


def _one_line(command: str) -> str:
    return re.sub(r"\s+", " ", command.replace("\\\n", " ")).strip()


_OF_SETUPS = {_one_line(line) for setup in SETUPS for line in f"{setup.start}\n{setup.use}".replace("\\\n", " ").splitlines()}


def commands() -> list[str]:
    """All shell commands of the page, each on one line, and its Python examples, in order and once each."""
    shell = [_one_line(example.command) for example in examples(PAGE, "")]
    return list(dict.fromkeys([*shell, *blocks(PAGE, "python")]))


def runner_of(command: str) -> str | None:
    """The test that runs a command; None without one."""
    if command in _OF_SETUPS:
        return RECORDED
    return next((test for pattern, test in RUN_BY.items() if re.fullmatch(pattern, command)), None)
