"""Engines and servers that several modules share. All engines run in one event loop, since a search needs two in the same."""

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from epf.engines.onnx.pairs import STORIES
from epf.generators.vllm import VllmGenerator
from epf.reward_models.backend import FamilyRewardModel
from tests.vllm.engines import Engine, generator_engine, reward_engine
from tests.vllm.serve import VllmServer, vllm_servers

LIMIT_S = 600
THEIRS = "torch|transformers|vllm|multiprocessing|huggingface_hub"


def pytest_configure(config: pytest.Config) -> None:
    """Ignore warnings within vLLM and its dependencies."""
    config.addinivalue_line("filterwarnings", f"ignore:::({THEIRS})")
    config.addinivalue_line("filterwarnings", "ignore:Unclosed context <zmq:ResourceWarning")
    # Objects that are collected after the last test are beyond the filters of pytest's configuration.
    warnings.filterwarnings("ignore", "Unclosed context <zmq", ResourceWarning)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow for the start of an engine or a server, which counts for the first test that uses it."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    opened = asyncio.new_event_loop()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def generator_on_vllm(loop: asyncio.AbstractEventLoop) -> Iterator[Engine[VllmGenerator]]:
    """Engine with the embedded generator's weights."""
    with generator_engine(loop, STORIES.generator) as engine:
        yield engine


@pytest.fixture(scope="session")
def reward_model_on_vllm(loop: asyncio.AbstractEventLoop) -> Iterator[Engine[FamilyRewardModel]]:
    """Engine with the embedded reward model's weights."""
    with reward_engine(loop, STORIES.reward_model, "embedded") as engine:
        yield engine


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[VllmServer, VllmServer]]:
    """``vllm serve`` with the weights of the embedded generator and of the embedded reward model. No test may end them."""
    pooler = '{"task": "classify", "seq_pooling_type": "LAST"}'
    both = (
        VllmServer(STORIES.generator, "--max-logprobs", "-1"),
        VllmServer(STORIES.reward_model, "--runner", "pooling", "--pooler-config", pooler),
    )
    with vllm_servers(*both):
        yield both
