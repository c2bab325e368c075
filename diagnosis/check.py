"""Runs checks one after another, each within its time limit. A check whose needs are not met is skipped."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from epf.core.errors import SearchServiceError
from epf.diagnosis.finding import Finding, Outcome, failed

QUICK_S = 10.0
"""Time limit of a check that costs no tokens, in seconds."""

SAMPLING_S = 60.0
"""Time limit of a check that samples, in seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: name in the report.
        run: returns the outcome. An error that it raises is a failure with its message.
        needs: names of checks of the same subject that must not have failed.
        limit_s: time limit in seconds.
    """

    name: str
    run: Callable[[], Awaitable[Outcome]]
    needs: tuple[str, ...] = ()
    limit_s: float = QUICK_S


async def run_checks(subject: str, checks: Sequence[Check], failures: set[str]) -> AsyncGenerator[Finding, None]:
    """Yield what each check finds.

    ``failures`` holds the names of checks that failed or could not run, and is extended.
    """
    for check in checks:
        missing = [name for name in check.needs if name in failures]
        since_s = time.monotonic()
        outcome = Outcome("skipped", f"needs: {', '.join(missing)}") if missing else await _outcome(check)
        if missing or outcome.mark == "failed":
            failures.add(check.name)
        yield Finding(subject, check.name, outcome.mark, outcome.found, outcome.advice, round(time.monotonic() - since_s, 3))


async def _outcome(check: Check) -> Outcome:
    try:
        async with asyncio.timeout(check.limit_s):
            return await check.run()
    except TimeoutError:
        return failed(f"no result within {check.limit_s:g} seconds", "See whether the server is still loading or overloaded.")
    except SearchServiceError as error:
        return failed(error.message)
    except Exception as error:  # an engine may raise anything; the other checks go on
        return failed(f"{type(error).__name__}: {' '.join(str(error).split())}")
