"""The commands of docs/models.md, and for each of them the test that runs it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from tests.examples import blocks, examples

PAGE = "docs/models.md"
REAL = "tests/real/test_page.py::test_commands_run"
"""Runs a command as it stands in front of a real model, whose address and name replace those of the page."""

RUN_BY: Mapping[str, str] = MappingProxyType(
    {
        r"vllm serve \S+ --port 8001": "tests/real/test_page.py::test_vllm_serves_as_the_page_starts_it",
        r"llama-server -m \S+ --port 8080": "tests/real/test_page.py::test_llama_cpp_serves_what_the_page_starts",
        r"(EPF_\S+ )*epf serve-prm --port 8002": "tests/vllm/test_reward_models.py::TestOurServerOnVllm",
        r"(EPF_\S+ )*EPF_REWARD_MODEL__URL=http://localhost:8002 epf serve": (
            "tests/vllm/test_openai_generator.py::test_a_problem_is_solved_with_both_models_behind_http"
        ),
        r"EPF_REWARD_MODEL__KIND=http EPF_REWARD_MODEL__URL=http://localhost:8003 EPF_REWARD_MODEL__FAMILY=\S+ epf serve": (
            "tests/vllm/test_reward_models.py::TestPoolingOverHttp"
        ),
        r"EPF_REWARD_MODEL__KIND=vllm EPF_REWARD_MODEL__NAME=\S+ EPF_REWARD_MODEL__FAMILY=\S+ epf serve": (
            "tests/vllm/test_reward_models.py::TestQwen"
        ),
        r"(?![^#]*(?i:reward|prm))((EPF_\S+ )*epf (doctor|serve|solve)\b.*|from epf import(.|\n)*)": REAL,
    }
)
"""Patterns of whole commands, and the test that runs what they match; the first one counts."""


def commands() -> list[str]:
    """All shell commands of the page, each on one line, and its Python examples, in order and once each."""
    shell = [re.sub(r"\s+", " ", example.command).strip() for example in examples(PAGE, "")]
    return list(dict.fromkeys([*shell, *blocks(PAGE, "python")]))


def runner_of(command: str) -> str | None:
    """The test that runs a command; None without one."""
    return next((test for pattern, test in RUN_BY.items() if re.fullmatch(pattern, command)), None)
