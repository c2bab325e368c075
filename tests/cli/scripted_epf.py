"""``epf`` over scripted models, as a process of its own: ``python -m tests.cli.scripted_epf [--hold] solve ...``.

With ``--hold`` the generator never answers; standard error says ``entered`` when it is asked and ``cancelled`` when it is
cancelled.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from epf.cli.main import main
from epf.service.searches.models import Models, with_checker
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

hold = sys.argv[1:2] == ["--hold"]


@asynccontextmanager
async def scripted_models() -> AsyncIterator[Models]:
    generator = ScriptedGenerator(hold=hold)

    async def tell() -> None:
        await generator.entered.wait()
        print("entered", file=sys.stderr, flush=True)

    teller = asyncio.create_task(tell())
    try:
        async with with_checker(generator, ScriptedRewardModel()) as models:
            yield models
    finally:
        teller.cancel()
        if generator.cancelled.is_set():
            print("cancelled", file=sys.stderr, flush=True)


sys.exit(main(sys.argv[1 + hold :], load_models=scripted_models))
