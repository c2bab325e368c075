"""Python loads this at the start of a measured process (``PYTHONPATH``). On SIGUSR2 the process counts its asyncio tasks.

Nothing else is changed, so that what is measured is the program as it is installed.
"""

import os
import signal
from pathlib import Path

VARIABLE = "BENCHMARK_TASKS_FILE"
"""Environment variable that names the file for the count."""


def _count(_signal: int, _frame: object) -> None:
    import asyncio

    try:
        n_tasks = len(asyncio.all_tasks())
    except RuntimeError:  # no event loop is running
        return
    path = Path(os.environ[VARIABLE])
    unfinished = path.with_suffix(".new")
    unfinished.write_text(str(n_tasks), encoding="utf-8")
    unfinished.replace(path)


if VARIABLE in os.environ:
    signal.signal(signal.SIGUSR2, _count)
