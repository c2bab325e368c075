"""Worker processes: replies, limits, deaths, cancellation and closing. The handlers are tested where they are defined."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from epf.core.process_pool import ProcessPool, WorkerDied, WorkerUnavailable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

HANDLER = Path(__file__).with_name("handler.py")
GUARD_S = 120.0


@asynccontextmanager
async def opened(n: int = 1, limit_s: float = 60.0) -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(HANDLER, n, limit_s=limit_s)
    try:
        async with asyncio.timeout(GUARD_S):
            yield pool
    finally:
        await pool.aclose()
    assert not processes()


def processes() -> set[int]:
    """Process ids of the workers that this process started and has not reaped."""
    found = set()
    for directory in Path("/proc").iterdir():
        try:
            parent = int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and b"process_worker.py" in (directory / "cmdline").read_bytes():
                found.add(int(directory.name))
        except OSError:
            continue
    return found


async def started() -> None:
    """Wait until a process has been started."""
    while not processes():
        await asyncio.sleep(0)


def test_a_process_is_reused_and_its_printed_output_is_not_a_reply() -> None:
    async def main() -> None:
        async with opened() as pool:
            pids = {await pool.run(b"pid") for _ in range(3)}
            assert {int(pid) for pid in pids} == processes()
            assert await pool.run(b"abc") == b"cba"
            assert await pool.run(b"") == b""
            large = os.urandom(2**20)
            assert await pool.run(large) == large[::-1]

    asyncio.run(main())


def test_no_more_than_n_processes_work() -> None:
    async def main() -> None:
        async with opened(n=2) as pool:
            calls = [asyncio.create_task(pool.run(b"pid")) for _ in range(20)]
            await asyncio.sleep(0)
            assert pool.n_calls == 20
            assert len(set(await asyncio.gather(*calls))) <= 2
            assert pool.n_calls == 0

    asyncio.run(main())


def test_a_request_over_the_limit_is_killed_and_the_next_is_handled() -> None:
    async def main() -> None:
        async with opened(limit_s=0.5) as pool:
            before = await pool.run(b"pid")
            with pytest.raises(TimeoutError):
                await pool.run(b"hang")
            assert not processes()
            assert await pool.run(b"pid") != before

    asyncio.run(main())


def test_only_a_second_death_is_blamed_on_the_request() -> None:
    async def main() -> None:
        async with opened() as pool:
            os.kill(int(await pool.run(b"pid")), signal.SIGKILL)
            assert await pool.run(b"abc") == b"cba"
            with pytest.raises(WorkerDied, match="exit code 3"):
                await pool.run(b"die")
            assert await pool.run(b"abc") == b"cba"

    asyncio.run(main())


def test_memory_is_limited() -> None:
    async def main() -> None:
        async with opened() as pool:
            assert await pool.run(b"fill") == b"MemoryError"

    asyncio.run(main())


def test_cancelling_kills_the_process_and_waits_for_its_end() -> None:
    async def main() -> None:
        async with opened() as pool:
            for warm in (False, True):
                if warm:
                    await pool.run(b"abc")
                call = asyncio.create_task(pool.run(b"hang"))
                await started()
                while pool._idle:
                    await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert not processes()
            assert await pool.run(b"abc") == b"cba"

    asyncio.run(main())


def test_a_cancelled_call_that_waits_leaves_the_process_to_the_others() -> None:
    async def main() -> None:
        async with opened() as pool:
            pid = await pool.run(b"pid")
            calls = [asyncio.create_task(pool.run(b"pid")) for _ in range(3)]
            await asyncio.sleep(0)
            calls[2].cancel()
            assert await asyncio.gather(*calls[:2]) == [pid, pid]

    asyncio.run(main())


def test_closing_ends_all_calls_and_refuses_later_ones() -> None:
    async def main() -> None:
        async with opened() as pool:
            calls = [asyncio.create_task(pool.run(b"hang")) for _ in range(3)]
            await started()
            await pool.aclose()
            assert not processes()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {WorkerUnavailable}
            with pytest.raises(WorkerUnavailable):
                await pool.run(b"abc")

    asyncio.run(main())


def test_a_handler_that_does_not_load_is_reported() -> None:
    async def main() -> None:
        pool = ProcessPool(HANDLER.with_name("missing.py"), 1, limit_s=1.0)
        with pytest.raises(WorkerUnavailable, match="exit code 1"):
            await pool.run(b"abc")
        await pool.aclose()

    asyncio.run(main())


def test_one_pool_serves_several_event_loops() -> None:
    pool = ProcessPool(HANDLER, 1, limit_s=60.0)
    assert asyncio.run(pool.run(b"pid")) == asyncio.run(pool.run(b"pid"))
    asyncio.run(pool.aclose())
