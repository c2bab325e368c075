r"""Which answers are mathematically the same.

What an answer means is read from it alone: plain numbers at once, everything else by :mod:`epf.search.answers.symbolic`. There
a short text such as ``9^{9^{9}}`` makes SymPy hang inside one byte code, where no thread and no signal handler can stop it.
Hence processes and a hard limit, see :mod:`epf.search.answers.reader`.
"""

import asyncio
from collections.abc import Sequence

from epf.search.answers.classes import group
from epf.search.answers.fair_queue import Request
from epf.search.answers.numbers import plain
from epf.search.answers.reader import Reader
from epf.search.answers.text import MAX_LENGTH, as_text

LIMIT_S = 2.5
"""Maximum CPU time to read one answer, in seconds."""


class AnswerChecker:
    """Groups answers into classes of equal ones.

    Each answer is read once, alone, and what it means is remembered; comparing two readings takes no time. An answer that
    cannot be read within its limit equals only the same text. The verdict about two answers follows from these two, whatever
    other answers are read before or meanwhile.

    Worker processes start with the first answers that need one and are killed by :meth:`aclose`. Calls share them fairly, so an
    answer waits for those of other calls only if reading it takes long as well. Nothing is tied to an event loop.

    Args:
        limit_s: maximum CPU time to read one answer, in seconds.
    """

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._reader = Reader(limit_s)

    async def classes(self, answers: Sequence[str | None]) -> tuple[int, ...]:
        """Class of each answer, ``(len(answers),)``: 0, 1, ... in order of first occurrence, -1 for None.

        An answer joins the first class all of whose members it equals.
        """
        texts = _texts(answers)
        readings = {text: plain(text) for text in texts if text is not None}
        unread = [text for text, reading in readings.items() if reading is None and len(text) <= MAX_LENGTH]
        if len(readings) > 1 and unread:
            request = Request.of(len(unread))
            found = await asyncio.gather(*(self._reader.read(text, request) for text in unread))
            readings.update(zip(unread, found, strict=True))
        return group([None if text is None else readings[text] or as_text(text) for text in texts])

    async def equal(self, a: str, b: str) -> bool:
        """Whether two answers are the same."""
        return (await self.classes((a, b)))[1] == 0

    async def aclose(self) -> None:
        """Kill the workers, even while they read. Answers that would need one are compared as text from then on."""
        await self._reader.aclose()


def classes_at_once(answers: Sequence[str | None]) -> tuple[int, ...]:
    """:meth:`AnswerChecker.classes` without a worker: plain numbers are compared as numbers and all other answers as text."""
    return group([None if text is None else plain(text) or as_text(text) for text in _texts(answers)])


def _texts(answers: Sequence[str | None]) -> list[str | None]:
    return [None if answer is None else " ".join(answer.split()) for answer in answers]
