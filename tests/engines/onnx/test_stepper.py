"""Continuous batching, iteration by iteration."""

from pathlib import Path

import numpy as np
import pytest

from epf.engines.onnx.batcher import Job
from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.prefix_cache import PrefixCache
from epf.engines.onnx.stepper import PROMPT_TOKENS_PER_ITERATION, StepJob, Stepper, StepRequest
from tests.tiny_model import write_model

PREFIX = tuple(range(10, 40))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stepper") / "generator"
    write_model(path, "generator")
    return path


def make_stepper(directory: Path, max_rows: int = 8) -> Stepper:
    return Stepper(
        Decoder(directory, load_config(directory), max_rows, 1), PrefixCache(2**20), max_rows, np.array([], np.int64)
    )


def job(prefix: tuple[int, ...] = PREFIX, max_tokens: int = 10, seed: int = 0) -> StepJob:
    """A step that ends only at its token limit."""
    return Job(StepRequest(prefix, max_tokens, 1.0, 1.0, seed, 0, lambda token_id: None))


def finish(stepper: Stepper, jobs: list[StepJob]) -> None:
    while stepper.advance(jobs):
        jobs = []


def test_one_token_per_row_and_iteration(directory: Path) -> None:
    stepper = make_stepper(directory)
    jobs = [job(max_tokens=n) for n in (1, 3, 5)]
    left: list[int] = []
    arrived = jobs
    while stepper.advance(arrived):
        left.append(sum(not j.future.done() for j in jobs))
        arrived = []
    assert left == [2, 2, 1, 1]
    assert stepper.n_computed == len(PREFIX) - 1 + 1 + 3 + 5


def test_a_row_joins_while_others_decode(directory: Path) -> None:
    stepper = make_stepper(directory)
    early, late, alone = job(seed=1), job(seed=2), job(seed=2)
    stepper.advance([early])
    stepper.advance([])
    stepper.advance([late])
    finish(stepper, [])
    assert early.future.done()
    finish(make_stepper(directory), [alone])
    assert late.future.result().ids == alone.future.result().ids


def test_a_cancelled_row_leaves_at_the_next_iteration(directory: Path) -> None:
    stepper = make_stepper(directory)
    jobs, alone = [job(seed=seed) for seed in range(6)], [job(seed=seed) for seed in range(6)]
    stepper.advance(jobs)
    for i in (0, 2, 5):
        jobs[i].future.cancel()
    before = stepper.n_computed
    stepper.advance([])
    assert stepper.n_computed - before == 3
    finish(stepper, [])
    finish(make_stepper(directory), alone)
    for i in (1, 3, 4):
        assert jobs[i].future.result().ids == alone[i].future.result().ids


def test_a_job_cancelled_while_it_waits_costs_nothing(directory: Path) -> None:
    stepper = make_stepper(directory, max_rows=1)
    jobs = [job(max_tokens=2, seed=seed) for seed in range(3)]
    stepper.advance(jobs)
    jobs[1].future.cancel()
    finish(stepper, [])
    assert stepper.n_computed == len(PREFIX) - 1 + 2 + 2


def test_new_prompts_do_not_hold_up_the_rows_that_decode(directory: Path) -> None:
    stepper = make_stepper(directory, max_rows=256)
    running = job()
    stepper.advance([running])
    prompts = [(i, *PREFIX * 3) for i in range(40)]
    before = stepper.n_iterations
    stepper.advance([job(prefix) for prefix in prompts])
    assert stepper.n_iterations - before == 1
    assert len(PREFIX) * 3 * len(prompts) > PROMPT_TOKENS_PER_ITERATION + len(prompts[0])
    assert stepper.n_computed < PROMPT_TOKENS_PER_ITERATION + 3 * len(prompts[0])
    finish(stepper, [])


def test_a_cleared_engine_starts_anew(directory: Path) -> None:
    stepper = make_stepper(directory, max_rows=2)
    jobs = [job(seed=seed) for seed in range(3)]
    stepper.advance(jobs)
    assert set(map(id, stepper.clear())) == set(map(id, jobs))
    again = [job(seed=seed) for seed in range(3)]
    finish(stepper, again)
    assert all(j.future.done() for j in again)
    assert not any(j.future.done() for j in jobs)
