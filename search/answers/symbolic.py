r"""Reads any answer: lists, equations, inequalities, intervals, sets, vectors, expressions, or text.

Imports SymPy and may hang on a text such as ``9^{9^{9}}``, so it runs in a worker process. What holds:

- An answer is read whole or not at all; what is not read is compared as text.
- Three and more letters, and segments such as ``AB``, are words and not products. Two small letters are a product.
- A list of numbers has no order, a list of letters or words has one; in braces nothing has an order, in parentheses everything.
- ``(1, 2)`` may be a pair or an open interval: both are equal. A row and a column are tuples, but not each other.
- A number with the base as an index, ``204_5``, equals only the same digits in the same base.
- Scores and dates, ``5-3`` and ``1/2/2020``, are no arithmetic.
"""

import re

import sympy
from sympy import S

from epf.search.answers import keys
from epf.search.answers.numbers import quantity
from epf.search.answers.reading import Reading
from epf.search.answers.relations import described_set, relation, system
from epf.search.answers.spellings import PHRASES, rewritten
from epf.search.answers.split import at_top, bracketed, chain, elements
from epf.search.answers.terms import element, is_word, value, values
from epf.search.answers.text import MAX_LENGTH, as_text, normalised, tidy
from epf.search.answers.tokens import Unread

_OR = re.compile(r"(?<![A-Za-z\\])or(?![A-Za-z])|\\text\{ ?,? ?or ?\}")
_CHOICE = re.compile(
    r"""(?: \\text\{[ ]? )? \( ([A-Z]) \) [ ]? (?: \}[ ]? )? :?
        (?! [-+=/*^_\s,;&(] | (?:\\text\{[ ]?)?(?:and|or)(?![A-Za-z]) | \\(?:cdot|times|cup|cap|in) ) (.+)
      | ([A-Z]) \) (?:[ ](.+))?
      | \[ ([A-Z]) \]""",
    re.VERBOSE,
)
_NO_ARITHMETIC = re.compile(r"\d+-\d+(?:-\d+)?(?: [A-Za-z ]+)?|\d+/\d+/\d+|[A-Z](?: ?\\times ?[A-Z])+")
_REMAINDER = re.compile(r"(\d+) ?(?:\\text\{ ?)?(?:R|r|with remainder|remainder)(?: ?\})? ?(\d+)")
_COMPOUND = re.compile(r"(\d+(?:\.\d+)?)( ?(?:[A-Za-z]+|\\text\{[A-Za-z ]+\}))(?: ?, ?| and |\\text\{ ?and ?\}| )?")
_BUILDER = re.compile(r"\\mid(?![a-z])|\||:")


def read(answer: str) -> Reading:
    """Return the reading of any answer. Raises nothing but ``MemoryError``, but may take for ever."""
    if len(answer) > MAX_LENGTH:
        return as_text(answer)
    try:
        return _answer(rewritten(tidy(answer)))
    except MemoryError:
        raise
    except Exception:  # SymPy raises many kinds on unusual input
        return as_text(answer)


def warm_up() -> None:
    """Read one answer of each kind, since SymPy and Math-Verify import and compile much when they are first used."""
    for answer in (r"\frac{x}{2} < \sqrt{2}", r"y = x^2", r"\int_0^1 x \, dx"):
        read(answer)


def _answer(text: str) -> Reading:
    """A list of values, or one value."""
    text = PHRASES.get(normalised(text), text)
    if choice := _CHOICE.fullmatch(text):
        return _choice(choice[1] or choice[3] or choice[5], choice[2] or choice[4])
    if remainder := _REMAINDER.fullmatch(text):
        return Reading(f"quotient:{remainder[1]} {remainder[2]}")
    if _NO_ARITHMETIC.fullmatch(text):
        raise Unread("a score, a date or a product of sets")
    if (number := quantity(text)) is not None:
        return number
    if (compound := _compound(text)) is not None:
        return compound
    for rows in (at_top(text, ";"), _OR.split(text)):
        lengths = {len(elements(row, ",")) for row in rows}
        if len(rows) > 1 and len(lengths) == 1 and lengths != {1}:
            return keys.unordered([_row(elements(row, ",")) for row in rows])
    parts = elements(text, ",;")
    return _one(parts[0]) if len(parts) == 1 else _list(parts, union=_OR.search(text) is not None)


def _choice(letter: str, content: str | None) -> Reading:
    """A choice such as ``(B) 12``: equal to its letter and to its content."""
    of_letter = value(letter)
    if content is None:
        return of_letter
    inner = read(content)
    return Reading(f"choice:{letter} {keys.token(inner)}", (of_letter.key, inner.key, *inner.also))


def _compound(text: str) -> Reading | None:
    """A quantity in two or more units, such as ``5 hours 20 minutes``."""
    found: list[Reading] = []
    at = 0
    while at < len(text):
        match = _COMPOUND.match(text, at)
        part = quantity(match[1] + match[2]) if match else None
        if match is None or part is None or not part.units:
            return None
        found.append(part)
        at = match.end()
    return keys.sequence(found) if len(found) > 1 else None


def _one(text: str) -> Reading:
    """One element: a relation, a set by its condition, or a value."""
    links = chain(text)
    if links.relations:
        return relation(links)
    if bracketed(text) == (r"\{", r"\}"):
        condition = _BUILDER.split(text[2:-2], maxsplit=1)[1:]
        if condition and chain(condition[0]).relations:
            return keys.real_set(described_set(condition[0]))
    return element(text)


def _list(parts: list[str], *, union: bool) -> Reading:
    chains = [chain(part) for part in parts]
    if all(c.is_inequality or r"\cup" in part for c, part in zip(chains, parts, strict=True)):
        sets = [described_set(part) for part in parts]
        together = sympy.Union(*sets) if union else sympy.Intersection(*sets)
        return keys.real_set(sympy.Union(*sets) if together is S.EmptySet else together)
    if (solved := system(chains)) is not None:
        return solved
    if all(is_word(part) or re.fullmatch(r"\(?[A-Za-z]\)?", part) for part in parts):
        words = [as_text(part) if is_word(part) else value(part) for part in parts]
        return Reading("[" + ",".join(map(keys.token, words)) + "]", (keys.unordered(words).key,))
    return keys.listed([found for part in parts for found in _values(part)])


def _values(part: str) -> list[Reading]:
    try:
        return values(part)
    except Unread:
        return [_one(part)]


def _row(parts: list[str]) -> Reading:
    """One of several solutions, such as ``p=5, q=2``."""
    return keys.sequence([found for part in parts for found in values(part)])
