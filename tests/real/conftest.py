"""The servers of the real model, started once for all tests."""

from collections.abc import Iterator

import pytest

from tests.real.model import LLAMA_PYTHON, MODEL, Server, llama_cpp, vllm
from tests.vllm.conftest import THEIRS

LIMIT_S = 400
"""Time limit of a test, in seconds; the first one that uses a server also starts it."""


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings within vLLM and its dependencies."""
    config.addinivalue_line("filterwarnings", f"ignore:::({THEIRS})")
    config.addinivalue_line("filterwarnings", "ignore:Unclosed context <zmq:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests out where ``make test-real`` has not put the model in place."""
    missing = not MODEL.exists() or not LLAMA_PYTHON.exists()
    for item in items:
        if "tests.real" in item.nodeid.replace("/", "."):
            item.add_marker(pytest.mark.timeout(LIMIT_S))
            if missing:
                item.add_marker(pytest.mark.skip(reason="needs a real model: make test-real"))


@pytest.fixture(scope="session")
def vllm_server() -> Iterator[Server]:
    with vllm() as server:
        yield server


@pytest.fixture(scope="session")
def llama_server() -> Iterator[Server]:
    with llama_cpp() as server:
        yield server


@pytest.fixture(scope="session", params=["vllm", "llama.cpp"])
def server(request: pytest.FixtureRequest) -> Server:
    """One server after the other; both keep running."""
    found: Server = request.getfixturevalue({"vllm": "vllm_server", "llama.cpp": "llama_server"}[request.param])
    return found
