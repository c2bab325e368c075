"""Equality through real workers: verdicts, hangs, deaths, cancellation, closing."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epf.search.answers.checker import AnswerChecker, classes_at_once
from epf.search.answers.text import MAX_LENGTH
from tests.processes import running
from tests.search.answers.processes import state, wait_until, workers

ROOT = Path(__file__).parents[3]
HANG = "9^{9^{9}}"
"""Evaluated inside one byte code that would take years and all memory."""

HANGING = [f"{base}^{{9^{{9}}}}" for base in range(2, 10)]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@pytest.fixture(scope="module")
def shared() -> Iterator[AnswerChecker]:
    """One checker for all tests that do not look at its processes, whose event loops come and go."""
    it = AnswerChecker()
    yield it
    asyncio.run(it.aclose())


@asynccontextmanager
async def checker(limit_s: float = 60.0) -> AsyncIterator[AnswerChecker]:
    it = AnswerChecker(limit_s=limit_s)
    try:
        yield it
    finally:
        await it.aclose()


async def reading(pids: set[int]) -> int:
    """Pid of the first of the processes that computes instead of waiting for requests."""
    while True:
        for pid in pids:
            if state(pid)[0] == "R":
                return pid
        await asyncio.sleep(0)


async def started(it: AnswerChecker) -> set[int]:
    """Start the workers and return their pids."""
    before = workers()
    assert not await it.equal("x+1", "y+1")
    return workers() - before


@given(
    st.lists(
        st.one_of(st.integers(-3, 3).map(str), st.sampled_from(["1/2", "0.5", r"\frac{2}{4}", "1.0", "$1", "2 cm"]), st.none())
    )
)
def test_plain_numbers_are_grouped_in_order(answers: list[str | None]) -> None:
    async def run() -> tuple[int, ...]:
        async with checker() as it:
            return await it.classes(answers)

    found = asyncio.run(run())
    values = {r"\frac{2}{4}": 0.5, "1/2": 0.5, "$1": 1.0, "2 cm": 2.0}
    numbers = [None if a is None else values.get(a) if a in values else float(a) for a in answers]
    order = list(dict.fromkeys(n for n in numbers if n is not None))
    assert found == tuple(-1 if n is None else order.index(n) for n in numbers)


@given(st.text(max_size=20))
def test_an_answer_equals_itself(text: str) -> None:
    async def run() -> bool:
        async with checker() as it:
            return await it.equal(text, f" {text}\n")

    assert asyncio.run(run())


def test_mathematically_equal_answers_share_a_class(shared: AnswerChecker) -> None:
    answers = [r"\sqrt{8}", "5", None, r"2\sqrt 2", "x=5", "(1,2]", r"(1, \frac{4}{2}]", "[1,2]", r"\{1,2\}", r"\{2,1\}", "5.0"]
    assert asyncio.run(shared.classes(answers)) == (0, 1, -1, 0, 1, 2, 2, 3, 4, 4, 1)


def test_without_a_worker_numbers_are_numbers_and_the_rest_is_text() -> None:
    answers = [r"\sqrt{8}", "0.5", None, r"2\sqrt{2}", r"\frac{1}{2}", r" \sqrt{8} ", HANG]
    assert classes_at_once(answers) == (0, 1, -1, 2, 1, 0, 3)


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


def test_equality_is_symmetric_and_survives_unusual_input(shared: AnswerChecker) -> None:
    async def run() -> None:
        for a, b, equal in PAIRS:
            assert await shared.equal(a, b) is equal, (a, b)
            assert await shared.equal(b, a) is equal, (b, a)

    asyncio.run(run())


SIMILAR = [
    "y=2x+1", "2x+1", "1+2x", "y = 1+2x", "12", "12 cm", "12 m", "(1,2)", r"\{1,2\}", "1,2", "2,1", "x=1", "1", r"\frac{2}{2}",
    r"\sqrt{2}", "1.41421356", r"\frac{\sqrt 8}{2}", "x<1", r"(-\infty,1)", HANG, "cat", "",
]  # fmt: skip


@settings(max_examples=50)
@given(answers=st.lists(st.none() | st.sampled_from([text for text in SIMILAR if text != HANG]), max_size=10))
def test_classes_never_hold_two_answers_that_differ(shared: AnswerChecker, answers: list[str | None]) -> None:
    async def run() -> None:
        classes = await shared.classes(answers)
        for i, j in combinations(range(len(answers)), 2):
            a, b = answers[i], answers[j]
            if a is not None and b is not None and classes[i] == classes[j]:
                assert await shared.equal(a, b), (a, b)
                assert await shared.equal(b, a), (b, a)

    asyncio.run(run())


LATEX = [
    "\\frac", "\\sqrt", "\\text", "\\begin{pmatrix}", "\\end{pmatrix}", "\\cup", "\\infty", "\\{", "\\}", "\\left(", "\\right)",
    "\\%", "{", "}", "(", ")", "[", "]", "$", ",", "=", "+", "-", "/", "!", "_", "&", "\\\\", "x", "y", "0", "1", "2.5", " cm",
    " ", "\n", "\x00",
]  # fmt: skip


def test_any_two_texts_get_a_verdict(shared: AnswerChecker) -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices(LATEX, k=chance.randrange(9))) for _ in range(60)]

    async def run() -> None:
        for a, b in zip(texts[::2], texts[1::2], strict=True):
            assert await shared.equal(a, b) in (True, False)
            assert await shared.equal(a, a)

    asyncio.run(run())


def test_calls_of_several_threads_share_the_workers(shared: AnswerChecker) -> None:
    def classes(n: int) -> tuple[int, ...]:
        return asyncio.run(shared.classes([rf"\sqrt{{{4 * n}}}", "cat", rf"2\sqrt{{{n}}}", rf"\sqrt{{{n}}}"]))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(classes, range(101, 121))) == {(0, 1, 0, 2)}


def test_a_hanging_answer_does_not_block_the_event_loop_or_other_answers(shared: AnswerChecker) -> None:
    async def run() -> None:
        hanging = asyncio.create_task(shared.equal(HANG, r"\sqrt{2}"))
        await asyncio.sleep(0)
        assert await shared.equal("1/2", "0.5")
        assert await shared.equal("3^{1/2}", r"\sqrt{3}")
        assert not hanging.done()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert await shared.equal("5^{1/2}", r"\sqrt{5}")

    asyncio.run(run())


@on_linux
def test_numbers_and_long_answers_need_no_worker() -> None:
    long = "x+" * MAX_LENGTH

    async def run() -> None:
        async with checker() as it:
            before = workers()
            assert await it.classes([long, long + " x", long + "  x"]) == (0, 1, 1)
            assert await it.classes(["0.5", "1", "1/2", None]) == (0, 1, 0, -1)
            assert workers() == before

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_a_hanging_answer_is_read_once_and_is_text_from_then_on() -> None:
    async def run() -> None:
        async with checker(limit_s=0.5) as it:
            await started(it)
            assert await it.classes([HANG, r"\sqrt{2}", f" {HANG}", "2^{1/2}"]) == (0, 1, 0, 1)
            before = workers()
            assert await it.classes([r"\sqrt{3}", HANG, r"\sqrt{2}"]) == (0, 1, 2)
            assert before <= workers(), "no process was killed again"  # the first may be replaced only now

    asyncio.run(run())


@pytest.mark.slow
def test_verdicts_are_the_same_in_the_company_of_hanging_answers() -> None:
    """Four requests with hanging answers; the answers of a fifth meet each of them, and a sixth meets none."""
    innocent = [text for text in SIMILAR if text != HANG]

    async def run() -> None:
        async with checker() as alone:
            expected = await alone.classes(innocent)
        async with checker(limit_s=0.25) as it:
            attack = [asyncio.create_task(it.classes(HANGING[n::4])) for n in range(4)]
            met = asyncio.create_task(it.classes([*HANGING[:2], *innocent]))
            assert await it.classes(innocent) == expected
            assert not any(task.done() for task in attack)
            assert [index - 2 for index in (await met)[2:]] == list(expected)
            for classes in await asyncio.gather(*attack):
                assert classes == tuple(range(len(classes))), "hanging answers equal only themselves"
            assert await it.classes(innocent) == expected

    asyncio.run(run())


@pytest.mark.slow
def test_an_answer_that_takes_too_much_memory_is_text() -> None:
    async def run() -> None:
        async with checker(limit_s=20.0) as it:
            assert await it.classes(["2^{4000000000}", "2^{4000000001}", "2^{4000000000}", r"\sqrt{2}"]) == (0, 1, 0, 2)

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_workers_killed_from_outside_are_replaced() -> None:
    async def run() -> None:
        async with checker() as it:
            before = await started(it)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            assert await it.equal("3^{1/2}", r"\sqrt{3}")
            wait_until(lambda: len(workers() - before) == len(before))

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_an_answer_that_kills_two_workers_is_text() -> None:
    async def run() -> None:
        async with checker() as it:
            pids = await started(it)
            question = asyncio.create_task(it.equal(HANG, "7"))
            while not question.done():
                for pid in workers():
                    if state(pid)[0] == "R":
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0)
            assert not question.result()
            assert await it.equal("3^{1/2}", r"\sqrt{3}")
            assert workers() != pids

    asyncio.run(run())


@on_linux
@pytest.mark.slow
def test_closing_while_busy_ends_every_call_and_every_process() -> None:
    async def run() -> None:
        async with checker() as it:
            pids = await started(it)
            questions = [asyncio.create_task(it.equal(text, r"\sqrt{2}")) for text in HANGING[:3]]
            await reading(pids)
            await it.aclose()
            assert {state(pid)[0] for pid in pids} == {"X"}
            assert await asyncio.gather(*questions) == [False] * 3
            assert not await it.equal(r"\sqrt{7}", "7^{1/2}")
            assert await it.equal("1/2", "0.5")
            await it.aclose()

    asyncio.run(run())


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
from epf.search.answers.checker import AnswerChecker, classes_at_once
it = AnswerChecker(limit_s=0.5)
assert "sympy" not in sys.modules
print(asyncio.run(it.equal("2^{{1/2}}", r"\\sqrt{{2}}")), flush=True)
asyncio.run(it.equal({HANG!r}, r"\\sqrt{{2}}") if "hang" in sys.argv else asyncio.sleep(3600))
"""


@on_linux
@pytest.mark.parametrize("mode", ["idle", "hang"])
@pytest.mark.slow
def test_workers_of_a_script_without_main_guard_die_with_it(mode: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running([sys.executable, script, mode], stdout=subprocess.PIPE, env=environment) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "True\n"
        pids = workers(user.pid)
        assert pids
        if mode == "hang":
            wait_until(lambda: any(state(pid)[0] in "RXZ" for pid in workers(user.pid)))
            pids |= workers(user.pid)
        user.kill()
    wait_until(lambda: all(state(pid)[0] in "XZ" for pid in pids))
