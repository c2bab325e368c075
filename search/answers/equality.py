"""Which answers are mathematically the same: text first, then exact numbers, then Math-Verify in processes that can be killed.

Math-Verify (with SymPy) knows fractions, roots, intervals, sets, matrices and equations, but a short text such as ``9^{9^{9}}``
makes it hang inside one byte code, where no thread and no signal handler can stop it. Hence processes and a hard limit.
"""

import asyncio
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from epf.search.answers.number import plain_number, spelling
from epf.search.answers.process import Verdict, WorkerProcess

MAX_LENGTH = 1000
"""Longer answers (in characters) are compared as text."""

_MAX_REMEMBERED = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")


class _Answer(NamedTuple):
    text: str
    is_number: bool


def _read(written: str) -> _Answer:
    """An answer as it is compared: spaces do not count, and a plain number has one spelling."""
    number = plain_number(written)
    return _Answer(" ".join(written.split()), False) if number is None else _Answer(spelling(number), True)


class AnswerChecker:
    """Groups answers into classes of equal ones.

    Same text, spaces apart, is equal; two plain numbers are compared by :func:`plain_number` and nothing else; every other pair
    is put to a worker process. A pair over the limit is "not equal", and an answer that two pairs hung on is compared as text
    from then on. Verdicts are remembered, so grouping a growing list again costs only its new pairs.

    Workers start with the first pair that needs one and are killed by :meth:`aclose`. Cancelling a call drops its verdict: the
    worker ends that pair or is killed at the limit, and takes its next question only then. Nothing is tied to an event loop.

    Args:
        limit_s: hard limit for one pair, in seconds.
        n_workers: most processes at the same time.
    """

    def __init__(self, *, limit_s: float = 5.0, n_workers: int = 2) -> None:
        self._threads = ThreadPoolExecutor(n_workers, thread_name_prefix="answers")
        self._workers = [WorkerProcess(limit_s) for _ in range(n_workers)]
        self._idle: queue.LifoQueue[WorkerProcess] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._closed = False
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._hung_with: dict[str, set[str]] = {}
        self._stuck: dict[str, None] = {}

    async def classes(self, answers: Sequence[str | None]) -> tuple[int, ...]:
        """Class of each answer, ``(len(answers),)``: 0, 1, ... in order of first occurrence, -1 for None.

        An answer joins the first class whose first member equals it, so n answers of k classes cost at most n k comparisons.
        """
        first_members: list[_Answer] = []
        known: dict[str, int] = {}
        result: list[int] = []
        for written in answers:
            if written is None:
                result.append(-1)
                continue
            answer = _read(written)
            if answer.text not in known:
                index = await self._find(answer, first_members)
                if index == len(first_members):
                    first_members.append(answer)
                known[answer.text] = index
            result.append(known[answer.text])
        return tuple(result)

    async def equal(self, a: str, b: str) -> bool:
        """Whether two answers are the same."""
        return (await self.classes((a, b)))[1] == 0

    async def aclose(self) -> None:
        """Kill the workers, also in the middle of a question. Pairs that would need one are "not equal" from then on."""
        self._closed = True
        for worker in self._workers:
            worker.kill()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(wait=True)
        for worker in self._workers:
            worker.close()

    async def _find(self, answer: _Answer, first_members: Sequence[_Answer]) -> int:
        """Index of the class that ``answer`` belongs to, ``len(first_members)`` if it is a new one."""
        for index, other in enumerate(first_members):
            if not (answer.is_number and other.is_number) and await self._ask(other.text, answer.text):
                return index
        return len(first_members)

    async def _ask(self, a: str, b: str) -> bool:
        if self._closed or max(len(a), len(b)) > MAX_LENGTH or a in self._stuck or b in self._stuck:
            return False
        pair = (a, b) if a <= b else (b, a)
        if pair not in self._verdicts:
            verdict = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask_worker, *pair)
            if verdict == "unknown":
                return False
            if verdict == "stuck":
                self._blame(*pair)
            _remember(self._verdicts, pair, verdict == "equal")
        return self._verdicts[pair]

    def _blame(self, a: str, b: str) -> None:
        """Note that a pair hung. Who hangs with two others is stuck, and those two are cleared of it."""
        for answer, other in ((a, b), (b, a)):
            _remember(self._hung_with, answer, self._hung_with.get(answer, set()) | {other})
        for answer in (a, b):
            if len(self._hung_with.get(answer, ())) > 1:
                _remember(self._stuck, answer, None)
                for other in self._hung_with.pop(answer):
                    self._hung_with.get(other, set()).discard(answer)

    def _ask_worker(self, a: str, b: str) -> Verdict:
        worker = self._idle.get()
        try:
            return worker.ask(a, b)
        finally:
            self._idle.put(worker)


def _remember(memory: dict[_K, _V], key: _K, value: _V) -> None:
    if key not in memory and len(memory) >= _MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
