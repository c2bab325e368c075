"""Equality through real workers: verdicts, hangs, deaths, cancellation, closing."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.checker import MAX_LENGTH, AnswerChecker
from tests.processes import running
from tests.search.answers.processes import state, wait_until, workers

ROOT = Path(__file__).parents[3]
HANG = "9^{9^{9}}"
"""Together with any root of an integer, Math-Verify evaluates it inside one byte code that would take years and all memory."""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@asynccontextmanager
async def checker(limit_s: float = 60.0, n_workers: int = 1) -> AsyncIterator[AnswerChecker]:
    it = AnswerChecker(limit_s=limit_s, n_workers=n_workers)
    try:
        yield it
    finally:
        await it.aclose()


async def busy_worker(it: AnswerChecker) -> int:
    """Pid of the only worker once it computes instead of waiting for requests."""
    while not (len(pids := workers()) == 1 and state(pids[0])[0] == "R"):
        await asyncio.sleep(0)
    return pids[0]


@on_linux
@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.integers(-3, 3).map(str), st.sampled_from(["1/2", "0.5", r"\frac{2}{4}", "1.0", "$1", "2 cm"]), st.none())
    )
)
def test_plain_numbers_are_grouped_in_order_without_a_worker(answers: list[str | None]) -> None:
    async def run() -> tuple[int, ...]:
        async with checker() as it:
            result = await it.classes(answers)
            assert workers() == []
            return result

    found = asyncio.run(run())
    values = {r"\frac{2}{4}": 0.5, "1/2": 0.5, "$1": 1.0, "2 cm": 2.0}
    numbers = [None if a is None else values.get(a) if a in values else float(a) for a in answers]
    order = list(dict.fromkeys(n for n in numbers if n is not None))
    assert found == tuple(-1 if n is None else order.index(n) for n in numbers)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_an_answer_equals_itself(text: str) -> None:
    async def run() -> bool:
        async with checker() as it:
            return await it.equal(text, f" {text}\n")

    assert asyncio.run(run())


@pytest.mark.parametrize("n_workers", [1, 2])
def test_mathematically_equal_answers_share_a_class(n_workers: int) -> None:
    answers = [r"\sqrt{8}", "5", None, r"2\sqrt 2", "x=5", "(1,2]", r"(1, \frac{4}{2}]", "[1,2]", r"\{1,2\}", r"\{2,1\}", "5.0"]

    async def run() -> tuple[int, ...]:
        async with checker(n_workers=n_workers) as it:
            return await it.classes(answers)

    assert asyncio.run(run()) == (0, 1, -1, 0, 1, 2, 2, 3, 4, 4, 1)


PAIRS = [
    ("4.123105625617661", r"\sqrt{17}", True),
    ("(r+5)(r+5)", "(r+5)^2", True),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}", True),
    (r"\text{(C)}", "C", True),
    ("(3,1)", "{1,3}", False),
    ("(3,1)", "${1,3}$", False),
    (r"\sqrt{10001}", r"\sqrt{10002}", False),
    (r"\frac{\pi}{4}", "0.785398163", True),
    (r"\sqrt{784}\%", r"\sqrt{784}\%", True),
    ("x>5", "x<5", False),
    ("10, 4, 2", "4, 12, 2", False),
    ("12:00", "1:00", False),
    (r"\frac{", "}{", False),
    ("\x00", "\ud800", False),
    ("(" * 300, "x", False),
    ("", "0", False),
]


def test_equality_is_symmetric_and_survives_unusual_input() -> None:
    async def run() -> None:
        async with checker() as it:
            for a, b, equal in PAIRS:
                assert await it.equal(a, b) is equal, (a, b)
                assert await it.equal(b, a) is equal, (b, a)

    asyncio.run(run())


LATEX = [
    "\\frac", "\\sqrt", "\\text", "\\begin{pmatrix}", "\\end{pmatrix}", "\\cup", "\\infty", "\\{", "\\}", "\\left(", "\\right)",
    "\\%", "{", "}", "(", ")", "[", "]", "$", ",", "=", "+", "-", "/", "!", "_", "&", "\\\\", "x", "y", "0", "1", "2.5", " cm",
    " ", "\n", "\x00",
]  # fmt: skip


def test_any_two_texts_get_a_verdict() -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices(LATEX, k=chance.randrange(9))) for _ in range(100)]

    async def run() -> None:
        async with checker(limit_s=5.0) as it:
            for a, b in zip(texts[::2], texts[1::2], strict=True):
                assert await it.equal(a, b) in (True, False)
                assert await it.equal(a, a)

    asyncio.run(run())


@on_linux
def test_answers_that_are_too_long_are_compared_as_text() -> None:
    long = "x+" * MAX_LENGTH

    async def run() -> None:
        async with checker() as it:
            assert await it.classes([long, long + " x", long + "  x"]) == (0, 1, 1)
            assert workers() == []

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_hanging_worker_is_killed_and_the_next_verdict_is_right() -> None:
    async def run() -> None:
        async with checker(limit_s=2.0) as it:
            assert not await it.equal("x+1", "y+1")
            (before,) = workers()
            assert not await it.equal(HANG, r"\sqrt{2}")
            assert state(before)[0] == "X"
            assert await it.equal("2^{1/2}", r"\sqrt{2}")
            assert before not in workers()

    asyncio.run(run())


@pytest.mark.slow
def test_one_hanging_answer_costs_two_limits_and_affects_no_other() -> None:
    answers = [r"\sqrt{2}", r"\sqrt{3}", r"\sqrt{5}", r"\sqrt{7}", HANG, "2^{1/2}", "7^{1/2}", HANG, "3^{1/2}"]

    async def run() -> None:
        async with checker(limit_s=2.0) as it:
            assert await it.classes(answers) == (0, 1, 2, 3, 4, 0, 3, 4, 1)
            assert set(it._stuck) == {HANG}
            assert not any(it._hung_with.values())

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_worker_killed_from_outside_is_replaced() -> None:
    async def run() -> None:
        async with checker() as it:
            assert await it.equal("2^{1/2}", r"\sqrt{2}")
            (pid,) = workers()
            os.kill(pid, signal.SIGKILL)
            assert await it.equal("3^{1/2}", r"\sqrt{3}")
            assert pid not in workers()

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_a_pair_that_kills_a_worker_twice_is_not_equal() -> None:
    async def run() -> None:
        async with checker() as it:
            assert not await it.equal("x+1", "y+1")
            question = asyncio.create_task(it.equal(HANG, r"\sqrt{2}"))
            first = await busy_worker(it)
            os.kill(first, signal.SIGKILL)
            while not question.done():
                for pid in workers():
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0)
            assert not question.result()
            assert await it.equal("3^{1/2}", r"\sqrt{3}")

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_the_verdict_of_a_cancelled_call_is_not_returned_to_the_next() -> None:
    async def run() -> None:
        async with checker(limit_s=2.0) as it:
            assert not await it.equal("x+1", "y+1")
            question = asyncio.create_task(it.equal(HANG, r"\sqrt{2}"))
            await busy_worker(it)
            question.cancel()
            with pytest.raises(asyncio.CancelledError):
                await question
            assert await it.equal("3^{1/2}", r"\sqrt{3}")
            assert not await it.equal("3^{1/2}", r"\sqrt{5}")

    asyncio.run(run())


@on_linux
def test_the_event_loop_is_not_blocked_while_a_worker_hangs() -> None:
    async def run() -> None:
        async with checker() as it:
            question = asyncio.create_task(it.equal(HANG, r"\sqrt{2}"))
            await busy_worker(it)
            assert await it.equal("1/2", "0.5")
            assert not question.done()
            await it.aclose()
            assert not await question

    asyncio.run(run())


@on_linux
def test_closing_while_busy_ends_every_call_and_every_process() -> None:
    async def run() -> None:
        async with checker() as it:
            questions = [asyncio.create_task(it.equal(HANG, f"\\sqrt{{{k}}}")) for k in (2, 3, 5)]
            await busy_worker(it)
            await it.aclose()
            assert workers() == []
            assert await asyncio.gather(*questions) == [False] * 3
            assert not await it.equal(r"\sqrt{2}", "2^{1/2}")
            assert await it.equal("1/2", "0.5")
            assert workers() == []

    asyncio.run(run())


def test_one_checker_serves_several_event_loops() -> None:
    it = AnswerChecker(n_workers=1)
    assert asyncio.run(it.equal("2^{1/2}", r"\sqrt{2}"))
    assert asyncio.run(it.equal("3^{1/2}", r"\sqrt{3}"))
    asyncio.run(it.aclose())


@pytest.mark.slow
def test_worker_that_cannot_start_is_logged_and_nothing_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    broken = tmp_path / "math_verify.py"
    broken.write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)

    async def run() -> None:
        async with checker() as it:
            assert not await it.equal("2^{1/2}", r"\sqrt{2}")
            broken.unlink()
            assert await it.equal("2^{1/2}", r"\sqrt{2}")

    asyncio.run(run())
    assert "did not start" in caplog.text


SCRIPT = f"""
import asyncio, sys
from epf.search.answers.checker import AnswerChecker
it = AnswerChecker(limit_s=2.0)
assert "sympy" not in sys.modules
print(asyncio.run(it.equal("2^{{1/2}}", r"\\sqrt{{2}}")), flush=True)
asyncio.run(it.equal({HANG!r}, r"\\sqrt{{2}}") if "hang" in sys.argv else asyncio.sleep(3600))
"""


@on_linux
@pytest.mark.parametrize("mode", ["idle", "hang"])
@pytest.mark.slow
def test_worker_of_a_script_without_main_guard_dies_with_it(mode: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running([sys.executable, script, mode], stdout=subprocess.PIPE, env=environment) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "True\n"
        (pid,) = workers(user.pid)
        if mode == "hang":
            wait_until(lambda: state(pid)[0] in "RXZ")
        user.kill()
    wait_until(lambda: state(pid)[0] in "XZ")
