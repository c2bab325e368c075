"""The run of ``epf eval``: its progress, its report, and what Ctrl-C leaves."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markdown import Markdown

from epf.cli.counter import counter
from epf.cli.loading import loaded, notice
from epf.evaluation.remote import ray_searchers
from epf.evaluation.report.compare import compare_runs
from epf.evaluation.run import Evaluation, Run, local_searchers, open_run
from epf.evaluation.store import read_run
from epf.evaluation.worker import LoadModels, Searcher
from epf.reward_models.registry import RewardModelOptions
from epf.service.settings import Settings


class Cluster(NamedTuple):
    """A Ray cluster: its address, the number of workers (None is one per node), and the GPUs of each."""

    address: str
    n_workers: int | None
    gpus: float


def run(evaluation: Evaluation, load_models: LoadModels, cluster: Cluster | None, *, concurrency: int) -> int:
    """Search and report, also after Ctrl-C or a failure of the models on the rows so far; the exit code."""
    with open_run(evaluation) as opened:
        _show_left_out(opened.plan.left_out)
        try:
            if not opened.is_complete:
                asyncio.run(_search(opened, load_models, cluster, concurrency))
        except KeyboardInterrupt:
            done = f"stopped after {len(opened.rows)} of {opened.plan.n_tasks} searches"
            raise KeyboardInterrupt(f"{done}. The same command resumes the run.") from None
        finally:
            written = opened.write_report()
            if written.without_pictures is not None:
                print(f"epf: the report has no pictures. {written.without_pictures}", file=sys.stderr)
    _show(written.page)
    return 1 if written.report.failures else 0


def show_comparison(a: Path, b: Path) -> int:
    """Print how two runs compare; the exit code."""
    _show(compare_runs(read_run(a), read_run(b)))
    return 0


def identities(settings: Settings) -> dict[str, dict[str, Any]]:
    """What identifies the two models, and their confidence map if there is one, in ``run.json``; no addresses and no keys."""
    generator, reward_model = settings.generator, settings.models.reward_model
    assert isinstance(reward_model, RewardModelOptions), "settings hold options"
    confidence = {} if settings.confidence is None else {"confidence": {"file": str(settings.confidence)}}
    prompting = {"system_prompt": generator.system_prompt, "examples": generator.examples and str(generator.examples)}
    return {
        "generator": {
            "kind": generator.kind,
            "name": generator.name,
            **{name: value for name, value in prompting.items() if value is not None},
        },
        "reward_model": {
            **_identity(reward_model),
            **({"also": [_identity(each) for each in reward_model.also]} if reward_model.also else {}),
        },
        **confidence,
    }


def _identity(reward_model: RewardModelOptions) -> dict[str, Any]:
    return {
        "kind": reward_model.kind,
        "name": reward_model.name,
        "family": reward_model.family,
        "calibration": None if reward_model.calibration is None else str(reward_model.calibration),
    }


async def _search(opened: Run, load_models: LoadModels, cluster: Cluster | None, concurrency: int) -> None:
    async with _searchers(load_models, cluster, concurrency) as searchers:
        _show_left_out(opened.fit(searchers))
        with counter(sys.stderr, opened.plan.n_tasks, opened.rows) as count:
            await opened.search(searchers, concurrency=concurrency, on_row=count)


def _show_left_out(reasons: Sequence[str]) -> None:
    for reason in reasons:
        print(f"epf: left out: {reason}", file=sys.stderr)


def _searchers(
    load_models: LoadModels, cluster: Cluster | None, concurrency: int
) -> AbstractAsyncContextManager[Sequence[Searcher]]:
    if cluster is not None:
        address, n_workers, gpus = cluster
        return ray_searchers(address, load_models, n_workers=n_workers, gpus=gpus, concurrency=concurrency)
    notices = ExitStack()
    notices.enter_context(notice("loading the models"))
    return local_searchers(lambda: loaded(load_models, notices))


def _show(page: str) -> None:
    console = Console()
    if console.is_terminal:
        console.print(Markdown(page))
    else:
        print(page, end="", flush=True)
