r"""Which answers are mathematically the same: text first, then exact numbers, then Math-Verify in processes that can be killed.

Plain numbers are compared as exact fractions, so that most answers need no computer algebra system. What is equal there:

- Currency signs, a percent sign and units do not count: ``\$12``, ``12``, ``12 apples``, ``12\text{ cm}^2`` and ``12\%`` are
  the same number, since the question says what is counted. So ``12%`` is 12 and not 0.12, and ``12 cm`` is ``12 m``.
- Values are compared exactly: 1/2 is 0.5, and 0.33 is not 1/3. But a decimal of six or more places that rounds or cuts a
  fraction with a denominator up to 30 is read as that fraction, so 0.333333 is 1/3. As this happens while reading, equality
  is transitive.
- A comma groups thousands: ``1,234`` is 1234. ``1,22`` and ``0,111`` may be lists or decimals, ``3x`` and ``5 m`` products,
  ``12:00`` a time: they may not be numbers, so they are not read as numbers.

Math-Verify (with SymPy) knows fractions, roots, intervals, sets, matrices and equations, but a short text such as ``9^{9^{9}}``
makes it hang inside one byte code, where no thread and no signal handler can stop it. Hence processes and a hard limit.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

from epf.core.process_pool import ProcessPool, WorkerDied, WorkerUnavailable

logger = logging.getLogger(__name__)

MAX_LENGTH = 1000
"""Answers with more characters are compared as text."""

_MAX_REMEMBERED = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")

_MAX_NUMBER_LENGTH = 200
_ROUNDED_PLACES = 6
_ROUNDED_DENOMINATOR = 30

_NUMBER = re.compile(
    r"""
    (?P<sign>[-+]?)[ ]?(?:\\?[$]|[€£¥])?[ ]?(?P<late_sign>[-+]?)[ ]?
    (?:
        (?:(?P<whole>\d+)[ ]?)?\\[dt]?frac(?:\{(?P<top>-?\d+)\}|(?P<top_digit>\d))(?:\{(?P<bottom>\d+)\}|(?P<bottom_digit>\d))
      | (?:(?P<slash_whole>\d+)[ ])?(?P<slash_top>\d+)/(?P<slash_bottom>\d+)
      | (?P<integer>[1-9]\d{0,2}(?:,\d{3})+(?![\d,]) | [1-9]\d{0,2}(?:[ ]\d{3})+(?!\d) | \d+)?(?P<decimals>\.\d*)?
    )
    """,
    re.VERBOSE | re.ASCII,
)
_UNIT = re.compile(
    r"""
    [ ]?(?:
        \\?% | \\?[$] | [€£¥]
      | (?:\^(?:\\circ|\{\\circ\})|°)[ ]?[CF]?(?![A-Za-z])
      | \\(?:text|textbf|textnormal|textrm|mathrm|mbox)\{(?P<text>[A-Za-z .,/\-]*)\}
      | (?P<spaced>(?<=[ ]))?(?P<word>[A-Za-z]+(?:[/-][A-Za-z]+)*)
    )
    (?:\^(?:[23]|\{[23]\})|[²³])?
    """,
    re.VERBOSE,
)
_SHORT_UNIT = re.compile("[mckd]?m|[mk]?g|lb|oz|[mcd][lL]|ft|yd|mi|[mn]?s|hr|[Hh]z|kW|mph|kph|pct|cents|min|sec")
_NOT_UNITS = re.compile(
    r"""(?i)\b(?: hundreds? | thousands? | (?:m|b|tr)illions? | dozens? | half | halves | thirds? | quarters? | pi | tau | phi
    | inf(?:inity)? | sqrt | sin | cos | tan | cot | csc | log | ln | exp | mod | base | am | pm | squared | cubed | factorial
    | and | or | to | than | more | less | fewer | least | most | not | times | over | plus | minus | divided )\b""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\\[,;: ]|\\q?quad(?![A-Za-z])|~|\s+")
_NEGATIVE_SPACE = re.compile(r"\\!\s*")
_TIGHT = re.compile(r" ?([{}/^]) ?")


class _Answer(NamedTuple):
    text: str
    is_number: bool


def _read(written: str) -> _Answer:
    """An answer as it is compared: without extra spaces, and with one spelling for a plain number."""
    number = plain_number(written)
    return _Answer(" ".join(written.split()), False) if number is None else _Answer(spelling(number), True)


class AnswerChecker:
    """Groups answers into classes of equal ones.

    Answers with the same text, spaces apart, are equal; two plain numbers are compared by :func:`plain_number` only; every
    other pair goes to a worker process. A pair over the limit is "not equal", and an answer that two pairs hung on is compared
    as text from then on. Verdicts are remembered, so grouping a growing list again costs only its new pairs.

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
            if not (answer.is_number and other.is_number) and await self._ask(other.text, answer.text):
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


def plain_number(text: str) -> Fraction | None:
    r"""The number that ``text`` writes, or None if it may not be a number. Never raises.

    Reads integers, decimals, ``1,234``, ``1 234``, ``3/4``, ``\frac{3}{4}``, mixed numbers such as ``1 1/2`` and
    ``1\frac{1}{2}``, each with a sign, a currency or percent sign, or units. The module's text explains what these mean.
    """
    if len(text) > _MAX_NUMBER_LENGTH:
        return None
    text = _tidy(text)
    match = _NUMBER.match(text)
    if match is None or not _is_units(text, match.end()):
        return None
    value = _value(match.groupdict())
    if value is None or (match["sign"] and match["late_sign"]):
        return None
    return -value if "-" in (match["sign"], match["late_sign"]) else value


def spelling(number: Fraction) -> str:
    """The one spelling of ``number``: a decimal if that is finite, else ``a/b``."""
    if 10**_MAX_NUMBER_LENGTH % number.denominator:
        return str(number)
    with localcontext(prec=3 * _MAX_NUMBER_LENGTH):
        return format(Decimal(number.numerator) / Decimal(number.denominator), "f")


def _remember(memory: dict[_K, _V], key: _K, value: _V) -> None:
    if key not in memory and len(memory) >= _MAX_REMEMBERED:
        del memory[next(iter(memory))]
    memory[key] = value


def _tidy(text: str) -> str:
    r"""One form for spaces, minus signs and delimiters: ``$ 5\,000 $`` is ``5 000``."""
    text = _NEGATIVE_SPACE.sub("", text).replace("{,}", ",").replace("−", "-")
    text = _TIGHT.sub(r"\1", _SPACE.sub(" ", text)).strip().rstrip("\\. ")
    for start, end in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if len(text) > len(start) + len(end) and text.startswith(start) and text.endswith(end):
            text = text[len(start) : -len(end)].strip()
    return text.rstrip("\\. ")


def _value(parts: dict[str, str | None]) -> Fraction | None:
    top = parts["top"] or parts["top_digit"] or parts["slash_top"]
    bottom = parts["bottom"] or parts["bottom_digit"] or parts["slash_bottom"]
    whole = parts["whole"] or parts["slash_whole"]
    if top is not None and bottom is not None:
        if int(bottom) == 0 or (whole and top.startswith("-")):
            return None
        return int(whole or 0) + Fraction(int(top), int(bottom))
    integer = (parts["integer"] or "").replace(",", "").replace(" ", "")
    places = (parts["decimals"] or "").removeprefix(".").rstrip("0")
    if not integer and not parts["decimals"]:
        return None
    if not integer and not places and parts["decimals"] == ".":
        return None
    value = Fraction(int((integer or "0") + places), 10 ** len(places))
    if len(places) >= _ROUNDED_PLACES:
        simple = value.limit_denominator(_ROUNDED_DENOMINATOR)
        if abs(value - simple) < Fraction(1, 10 ** len(places)):
            return simple
    return value


def _is_units(text: str, start: int) -> bool:
    """Whether everything from ``start`` on is units, percent and currency signs."""
    while start < len(text):
        match = _UNIT.match(text, start)
        if match is None or match.end() == start:
            return False
        word = match["word"]
        if word is not None:
            is_known = len(word) > 1 and _SHORT_UNIT.fullmatch(word)
            if not is_known and (match["spaced"] is None or len(word) < 3):
                return False  # 3xy and 3 xy are products
        if _NOT_UNITS.search(word or match["text"] or ""):
            return False
        start = match.end()
    return True
