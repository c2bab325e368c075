"""``epf eval``: methods and budgets on a data set, with a report, or two such runs side by side."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from epf.cli.counter import counter
from epf.cli.options import add_search_options, given_options, positive
from epf.cli.serving import read_settings
from epf.core.errors import InvalidRequest, NotInstalled
from epf.core.version import VERSION
from epf.evaluation.plan import ALL, Plan, make_plan, read_contenders
from epf.evaluation.remote import ray_searchers
from epf.evaluation.report.compare import compared
from epf.evaluation.report.figures import Report, report_of
from epf.evaluation.report.pictures import draw
from epf.evaluation.report.text import markdown
from epf.evaluation.schedule import evaluate
from epf.evaluation.settings import settings_of
from epf.evaluation.store import Store, open_store, read_run
from epf.evaluation.worker import LoadModels, Searcher, Worker
from epf.problem_sets.registry import PROBLEM_SETS, load_problems
from epf.service.searches.models import models_of
from epf.service.settings import Settings

NOT_SHARED = ("n_particles", "seed")
"""Options of a search that the run itself chooses."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    named = ", ".join(sorted(PROBLEM_SETS))
    parser.add_argument("--dataset", metavar="SET", help=f"{named}, hf:NAME[:CONFIG][@SPLIT], or a file .jsonl")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where rows and report go; the same command goes on there")
    parser.add_argument(
        "--methods",
        default=ALL,
        metavar="LIST",
        help="methods, the first is what others are compared with; options of one after a plus: pf,epf+lookahead=reuse. "
        "Default: all.",
    )
    parser.add_argument(
        "--budgets",
        type=_numbers,
        default=[1, 2, 4, 8, 16, 32],
        metavar="LIST",
        help="numbers of particles. Default: 1,2,4,8,16,32.",
    )
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="searches of each kind per problem. Default: 3.")
    parser.add_argument("--limit", type=positive, metavar="N", help="first problems of the set. Default: all of them.")
    parser.add_argument("--concurrency", type=positive, default=16, metavar="N", help="searches at a time. Default: 16.")
    parser.add_argument(
        "--timed",
        type=int,
        default=5,
        metavar="N",
        help="problems whose searches run alone first, for their latency. Default: 5.",
    )
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("A", "B"), help="put two finished runs side by side")
    parser.add_argument("--ray", metavar="ADDRESS", help="spread the searches over a Ray cluster; `local` starts one here")
    parser.add_argument(
        "--workers", type=positive, metavar="N", help="Ray workers, each with models of its own. Default: one a node."
    )
    parser.add_argument(
        "--worker-gpus", type=float, default=0.0, metavar="X", help="GPUs that each Ray worker holds. Default: 0."
    )
    add_search_options(parser, leave_out=NOT_SHARED, only_given=True)


def run(arguments: argparse.Namespace, load_models: LoadModels | None) -> int:
    """Search, then report, also on what there is after Ctrl-C or a failure of the models."""
    if arguments.compare is not None:
        _show(compared(*(read_run(directory) for directory in arguments.compare)))
        return 0
    if arguments.dataset is None or arguments.out is None:
        raise InvalidRequest("epf eval needs --dataset and --out, or --compare with two runs.", param="dataset")
    settings = read_settings()
    options = _options(settings, arguments)
    plan = make_plan(
        load_problems(arguments.dataset, arguments.limit),
        read_contenders(arguments.methods),
        arguments.budgets,
        seeds=arguments.seeds,
        timed=max(0, arguments.timed),
        options=options,
    )
    asked = settings_of(plan, options, dataset=arguments.dataset, models=_models(settings), version=VERSION)
    for reason in plan.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    with open_store(arguments.out, asked) as store:
        try:
            if len(store.rows) < plan.n_tasks:
                asyncio.run(_search(plan, store, arguments, load_models or partial(models_of, settings)))
        except KeyboardInterrupt:
            print(f"\nstopped after {len(store.rows)} of {plan.n_tasks} searches: the same command goes on", file=sys.stderr)
            raise
        finally:
            report = _write_report(store, plan, asked)
    _show((arguments.out / "report.md").read_text(encoding="utf-8"))
    return 1 if report.failures else 0


async def _search(plan: Plan, store: Store, arguments: argparse.Namespace, load_models: LoadModels) -> None:
    with counter(sys.stderr, plan.n_tasks, list(store.rows.values())) as tell:
        async with _searchers(arguments, load_models) as searchers:

            def keep(row: Any) -> None:
                store.add(row)
                tell(row)

            done = frozenset(store.rows)
            await evaluate(plan, searchers, concurrency=arguments.concurrency, done=done, emit=keep)


@asynccontextmanager
async def _searchers(arguments: argparse.Namespace, load_models: LoadModels) -> AsyncIterator[Sequence[Searcher]]:
    if arguments.ray is None:
        async with load_models() as models:
            yield [Worker(models)]
    else:
        async with ray_searchers(
            arguments.ray,
            load_models,
            n_workers=arguments.workers,
            gpus=arguments.worker_gpus,
            concurrency=arguments.concurrency,
        ) as searchers:
            yield searchers


def _write_report(store: Store, plan: Plan, asked: Mapping[str, Any]) -> Report:
    """``report.md``, ``report.json`` and the pictures, on the rows so far."""
    cells = [(cell.contender.name, cell.budget) for cell in plan.cells]
    report = report_of(list(store.rows.values()), cells)
    try:
        pictures = draw(report, store.directory)
    except NotInstalled as error:
        print(f"no pictures: {error.message}", file=sys.stderr)
        pictures = {}
    told = {name: value for name, value in asked.items() if name != "problems"}
    (store.directory / "report.json").write_text(
        json.dumps({"settings": told, **asdict(report)}, indent=1) + "\n", encoding="utf-8"
    )
    (store.directory / "report.md").write_text(markdown(report, asked, plan.left_out, pictures), encoding="utf-8")
    return report


def _options(settings: Settings, arguments: argparse.Namespace) -> dict[str, Any]:
    """Options that all searches share: the command line wins over the settings."""
    defaults = {name: value for name, value in settings.search.chosen().items() if name not in (*NOT_SHARED, "method")}
    return {**defaults, **given_options(arguments)}


def _models(settings: Settings) -> dict[str, dict[str, Any]]:
    generator, reward_model = settings.generator, settings.reward_model
    return {
        "generator": {"kind": generator.kind, "name": generator.name},
        "reward_model": {
            "kind": reward_model.kind,
            "name": reward_model.name,
            "family": reward_model.family,
            "calibration": None if reward_model.calibration is None else str(reward_model.calibration),
        },
    }


def _show(page: str) -> None:
    console = Console()
    if console.is_terminal:
        console.print(Markdown(page))
    else:
        print(page, end="", flush=True)


def _numbers(text: str) -> list[int]:
    """Budgets, each once, in rising order."""
    return sorted({positive(part) for part in text.split(",")})
