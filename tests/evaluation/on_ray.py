"""Searches over scripted models on a local Ray cluster: ``python -m tests.evaluation.on_ray dies|refuses|unloadable FILE``.

With ``dies`` the first worker that draws a step exits at once; it leaves FILE, so that the next one stays alive.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from epf.core.errors import GeneratorError, InvalidRequest
from epf.core.generator import Sampling, Step
from epf.evaluation.plan import make_plan, read_contenders
from epf.evaluation.remote import ray_searchers
from epf.evaluation.rows import Row
from epf.evaluation.schedule import run_tasks
from epf.problem_sets.problem import Problem
from epf.service.searches.models import Models, with_checker
from tests.fakes import ScriptedGenerator, ScriptedRewardModel


class Mortal(ScriptedGenerator):
    def __init__(self, died: Path) -> None:
        super().__init__()
        self.died = died

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        if not self.died.exists():
            self.died.touch()
            os._exit(1)
        return await super().step(prefix_ids, sampling, seed)


@asynccontextmanager
async def models(kind: str, died: Path) -> AsyncIterator[Models]:
    if kind == "unloadable":
        raise InvalidRequest("no such weights")
    generator = ScriptedGenerator(error=InvalidRequest("no log probabilities")) if kind == "refuses" else Mortal(died)
    async with with_checker(generator, ScriptedRewardModel()) as given:
        yield given


async def main(kind: str, died: Path) -> None:
    problems = [Problem(str(i), f"{i}?", "42") for i in range(4)]
    plan = make_plan(problems, read_contenders("epf,best_of_n"), [4], seeds=1, timed=0, options={})
    rows: list[Row] = []
    try:
        async with ray_searchers("local", partial(models, kind, died), n_workers=1, gpus=0.0, concurrency=2) as searchers:
            await run_tasks(plan, searchers, concurrency=2, done=(), emit=rows.append)
    except (GeneratorError, InvalidRequest) as error:
        print(error.message)
    else:
        print(f"{len({row.key for row in rows})} rows, {sum(row.correct for row in rows)} right")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
