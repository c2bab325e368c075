"""``epf`` over scripted models, as a process of its own: ``python -m tests.cli.scripted_epf [--hold] solve ...``.

With ``--hold`` the generator never returns. Standard error gets the line ``entered`` when it is called and ``cancelled`` when
the call is cancelled. With ``--load`` the models never load; standard error gets the line ``loading``.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from epf.cli.main import main
from epf.service.searches.models import Models, with_checker
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

# The default action, also where the tests run in the background of a shell, which makes their children ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
mode, arguments = (sys.argv[1], sys.argv[2:]) if sys.argv[1] in ("--hold", "--load") else ("", sys.argv[1:])


def load_for_ever() -> None:
    print("loading", file=sys.stderr, flush=True)
    threading.Event().wait()


@asynccontextmanager
async def scripted_models() -> AsyncIterator[Models]:
    if mode == "--load":
        await asyncio.to_thread(load_for_ever)
    generator = ScriptedGenerator(hold=mode == "--hold")

    async def report() -> None:
        await generator.entered.wait()
        print("entered", file=sys.stderr, flush=True)

    reporter = asyncio.create_task(report())
    try:
        async with with_checker(generator, ScriptedRewardModel()) as models:
            yield models
    finally:
        reporter.cancel()
        if generator.cancelled.is_set():
            print("cancelled", file=sys.stderr, flush=True)


sys.exit(main(arguments, load_models=scripted_models))
