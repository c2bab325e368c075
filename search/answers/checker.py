r"""Which answers are mathematically the same: text first, then exact numbers, then Math-Verify in processes that can be killed.

Math-Verify (with SymPy) knows fractions, roots, intervals, sets, matrices and equations, but a short text such as ``9^{9^{9}}``
makes it hang inside one byte code, where no thread and no signal handler can stop it. Hence processes and a hard limit.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from epf.core.process_pool import ProcessPool, WorkerDied, WorkerUnavailable
from epf.search.answers.numbers import plain
from epf.search.answers.reading import Reading, same

logger = logging.getLogger(__name__)

MAX_LENGTH = 1000
"""Answers with more characters are compared as text."""

_MAX_REMEMBERED = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")


class _Answer(NamedTuple):
    text: str
    number: Reading | None


def _read(written: str) -> _Answer:
    """An answer as it is compared: without extra spaces, and with one spelling for a plain number without units."""
    number = plain(written)
    is_bare = number is not None and not number.units
    return _Answer(number.key if number and is_bare else " ".join(written.split()), number)


class AnswerChecker:
    """Groups answers into classes of equal ones.

    Answers with the same text, spaces apart, are equal; two plain numbers are compared at once; every other pair goes to a
    worker process. A pair over the limit is "not equal", and an answer that two pairs hung on is compared as text from then on.
    Verdicts are remembered, so grouping a growing list again costs only its new pairs.

    Workers start with the first pair that needs one and are killed by :meth:`aclose`. A worker whose call is cancelled finishes
    the pair or is killed at the limit, since a new process would cost more. Nothing is tied to an event loop.

    Args:
        limit_s: hard limit for one pair, in seconds.
        n_workers: maximum number of processes.
    """

    def __init__(self, *, limit_s: float = 5.0, n_workers: int = 2) -> None:
        self._workers = ProcessPool(Path(__file__).with_name("worker.py"), n_workers, limit_s=limit_s)
        self._comparing: set[asyncio.Task[bool]] = set()
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
        """Kill the workers, even while they compare. Pairs that would need one are "not equal" from then on."""
        self._closed = True
        await self._workers.aclose()

    async def _find(self, answer: _Answer, first_members: Sequence[_Answer]) -> int:
        """Index of the class that ``answer`` belongs to, or ``len(first_members)`` for a new class."""
        for index, other in enumerate(first_members):
            if answer.number is not None and other.number is not None:
                if same(answer.number, other.number):
                    return index
            elif await self._ask(other.text, answer.text):
                return index
        return len(first_members)

    async def _ask(self, a: str, b: str) -> bool:
        if self._closed or max(len(a), len(b)) > MAX_LENGTH or a in self._stuck or b in self._stuck:
            return False
        pair = (a, b) if a <= b else (b, a)
        if pair in self._verdicts:
            return self._verdicts[pair]
        comparing = asyncio.create_task(self._compare(*pair))
        self._comparing.add(comparing)
        comparing.add_done_callback(self._comparing.discard)
        return await asyncio.shield(comparing)

    async def _compare(self, a: str, b: str) -> bool:
        try:
            equal = await self._workers.run(json.dumps([a, b]).encode()) == b"true"
        except WorkerUnavailable as error:
            if not self._closed:
                fix = f"{sys.executable} -c 'import math_verify'"
                logger.error(
                    "The answer worker did not start (%s): answers are compared as numbers and text. Try: %s", error, fix
                )
            return False
        except (TimeoutError, WorkerDied):
            equal = False
            self._blame(a, b)
        _remember(self._verdicts, (a, b), equal)
        return equal

    def _blame(self, a: str, b: str) -> None:
        """Record that a pair hung. An answer that hangs with two others is stuck, and the two others are cleared."""
        for answer, other in ((a, b), (b, a)):
            _remember(self._hung_with, answer, self._hung_with.get(answer, set()) | {other})
        for answer in (a, b):
            if len(self._hung_with.get(answer, ())) > 1:
                _remember(self._stuck, answer, None)
                for other in self._hung_with.pop(answer):
                    self._hung_with.get(other, set()).discard(answer)


def _remember(memory: dict[_K, _V], key: _K, value: _V) -> None:
    if key not in memory and len(memory) >= _MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value
