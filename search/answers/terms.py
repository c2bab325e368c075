"""Reads one value without a relation: expressions with units, tuples, intervals, sets, matrices, ratios, residues, bases."""

import re
from collections.abc import Callable
from itertools import product
from typing import TypeVar

import sympy
from sympy import Expr, MatrixBase, S, Symbol

from epf.search.answers import keys
from epf.search.answers.expression import parsed
from epf.search.answers.numbers import quantity
from epf.search.answers.reading import Reading
from epf.search.answers.spellings import matrix_cells, transposed
from epf.search.answers.split import at_top, bracketed, chain, elements
from epf.search.answers.tokens import Unread
from epf.search.answers.units import SIGNS, currency, units

_T = TypeVar("_T")

_SETS = {r"\mathbb{R}": S.Reals, r"\emptyset": S.EmptySet, r"\{\}": S.EmptySet, r"\{ \}": S.EmptySet}
_OPERATORS = ((r"\cup", sympy.Union), (r"\cap", sympy.Intersection), (r"\setminus", sympy.Complement))
_PLUS_MINUS = re.compile(r"\\[pm][pm](?![a-z])")
_BASE = re.compile(
    r"\(?(?P<digits>[0-9A-Z][0-9A-Za-z]*)\)? ?_ ?"
    r"(?:(?P<digit>\d+)|\{ ?(?:\\text\{ ?base ?\} ?|\\text\{ ?(?:base )?|\()?(?P<base>\w+) ?[})]?\}|\\text\{ ?(?P<word>\w+)\})"
)
_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
_POINT = re.compile(r"[A-Z](?:_?\d|')? ?(?=\(.*,.*\)$)")
_MODULUS = re.compile(r"(.+?) ?(?:\\pmod ?(?:\{ ?(\d+) ?\}|(\d+))|\( ?(?:\\bmod|\\mod|\\text\{ ?mod ?\}|mod) ?(\d+) ?\))")
_CURRENCY = re.compile(rf"(-?) ?((?:US|HK|CA|AU|NZ|[CAS])?\$|[{SIGNS}])(?=[ \d\\(.-])")
_INNER_CURRENCY = re.compile(rf"(?:US)?[{SIGNS}](?=[ ]?\d)")
_UNIT_START = re.compile(r" |(?<=[\d}) ])(?=\\text|\\mu|\\Omega|%|\^\\circ|\\frac\{\\text|[A-Za-z])")
_LETTER = re.compile(r" ?[A-Za-z](?:\^.*)?")
_ANGLE = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|text\{ ?cis ?\})")
_WORDS = re.compile(r"[A-Za-z]+(?:(?: |(?<=[a-z]{2})-)[A-Za-z']+)*|(?:\\text\{[^{}]*\} ?)+")
_SHORT_WORDS = frozenset("no on is so or of to in it at as he me we us by be do go my an ox am up if hi ok".split())


def value(text: str) -> Reading:
    """Return the reading of a value in tidy text.

    Raises:
        Unread: the text is no value, or only a part of it is one.
    """
    if (number := quantity(text)) is not None:
        return number
    if text in _SETS or any(len(at_top(text, operator)) > 1 for operator, _ in _OPERATORS):
        return keys.real_set(real_set(text))
    if re.fullmatch(r"[+-]? ?\\infty", text):
        return Reading("-oo" if text[0] == "-" else "oo")
    if r"\infty" in text and bracketed(text) is None:
        raise Unread(text)
    if modulus := _MODULUS.fullmatch(text):
        residue = value(modulus[1])
        return residue._replace(units=residue.units | {f"mod {modulus[2] or modulus[3] or modulus[4]}"})
    if base := _BASE.fullmatch(text):
        written = base["digit"] or base["base"] or base["word"]
        return Reading(f"base:{base['digits'].upper()}_{_BASES.get(written, written)}")
    if (matrix := matrix_cells(text)) is not None:
        is_determinant, cells = matrix
        if is_determinant:
            return keys.reading(sympy.Matrix([[expression(cell) for cell in row] for row in cells]).det())
        return keys.matrix([[element(cell) for cell in row] for row in cells])
    if bracketed(text) is not None:
        return _in_brackets(text)
    if (column := transposed(text)) is not None:
        return _in_brackets(column)
    if point := _POINT.match(text):
        return _in_brackets(text[point.end() :])
    ratio = at_top(text, ":")
    if len(ratio) > 1:
        return Reading("ratio:" + ":".join(keys.token(value(side)) for side in ratio))
    if is_word(text):
        raise Unread(text)
    return _with_units(text)


def element(text: str) -> Reading:
    r"""Return the reading of an element of a list, where ``\pm 3`` is two values."""
    return keys.unordered(values(text))


def values(part: str) -> list[Reading]:
    r"""Return the values of an element of a list: ``x = 3`` is 3, ``\pm 3`` is 3 and -3."""
    links = chain(part)
    if links.relations and set(links.relations) <= {"="} and (is_name(links.sides[0]) or bracketed(links.sides[0])):
        part = links.sides[-1]
    return [value(signed) for signed in _signs(part)]


def expression(text: str) -> Expr | MatrixBase:
    """Return an expression without the currency signs in it."""
    return parsed(_INNER_CURRENCY.sub("", text.strip()))


def real_set(text: str) -> sympy.Set:
    r"""Return a set of real numbers: intervals, finite sets, ``\mathbb{R}``, and what set operators make of these."""
    for operator, combine in _OPERATORS:
        parts = at_top(text, operator)
        if len(parts) > 1:
            found = [real_set(part) for part in parts]
            return combine(*found) if combine is not sympy.Complement else combine(found[0], sympy.Union(*found[1:]))
    if text in _SETS:
        return _SETS[text]
    brackets = bracketed(text)
    if brackets is None:
        raise Unread(text)
    inner = elements(text[len(brackets[0]) : -len(brackets[1])], ",;", grouping=False)
    if brackets in ((r"\{", r"\}"), ("{", "}")):
        return sympy.FiniteSet(*map(expression, inner))
    if len(inner) != 2:
        raise Unread(text)
    return sympy.Interval(_endpoint(inner[0]), _endpoint(inner[1]), brackets[0] == "(", brackets[1] == ")")


def is_word(text: str) -> bool:
    """Whether a text is words or letters that do not multiply."""
    text = text.strip("() ")
    runs = re.findall("[A-Za-z]+", text)
    has_word = any(len(run) > 2 or run in _SHORT_WORDS or (len(run) == 2 and not run.islower()) for run in runs)
    return has_word and _WORDS.fullmatch(text) is not None


def is_name(text: str) -> bool:
    r"""Whether a text is a variable: ``x``, ``x_1``, ``\theta``."""
    return isinstance(attempt(parsed, text), Symbol)


def is_number(reading: Reading) -> bool:
    """Whether a reading is a number."""
    return re.match(r"-?[\d.]", reading.key) is not None


def attempt(read_part: Callable[[str], _T], text: str) -> _T | None:
    """Return what a function makes of a text, or None if it cannot read it."""
    try:
        return read_part(text)
    except MemoryError:
        raise
    except Exception:  # SymPy raises many kinds on unusual input
        return None


def _signs(text: str) -> list[str]:
    r"""All readings of ``\pm`` and ``\mp``; where both occur they go together."""
    if not _PLUS_MINUS.search(text):
        return [text]
    if r"\mp" in text:
        return [text.replace(r"\pm", a).replace(r"\mp", b) for a, b in (("+", "-"), ("-", "+"))]
    pieces = text.split(r"\pm")
    return [
        "".join(a + b for a, b in zip(pieces, (*signs, ""), strict=True)).lstrip("+ ")
        for signs in product("+-", repeat=len(pieces) - 1)
    ]


def _with_units(text: str) -> Reading:
    """An expression with a currency sign before or units after it."""
    before: frozenset[str] = frozenset()
    if sign := _CURRENCY.match(text):
        before = frozenset({currency(sign[2])})
        text = sign[1] + text[sign.end() :]
    for match in _UNIT_START.finditer(text):
        start, end = text[: match.start()].strip(), text[match.start() :]
        after = units(end) if start else None
        if after is None or ("deg" in after and _ANGLE.search(text)):
            continue
        found = attempt(_in_brackets if bracketed(start) else _bare, start)
        # A single letter is a unit after a decimal, as in ``5 \times 10^3 m``, and a variable after anything else.
        if found is not None and (_is_decimal(found) or not _LETTER.fullmatch(end)):
            return found._replace(units=before | after)
    return _bare(text)._replace(units=before)


def _is_decimal(reading: Reading) -> bool:
    return re.fullmatch(r"-?\d+(?:/\d*0)?", reading.key) is not None


def _bare(text: str) -> Reading:
    return keys.reading(expression(text))


def _in_brackets(text: str) -> Reading:
    """A tuple, an interval, a set, or a value in parentheses."""
    brackets = bracketed(text)
    if brackets is None:
        raise Unread(text)
    inner = text[len(brackets[0]) : -len(brackets[1])].strip()
    parts = elements(inner, ",;", grouping=False)
    if brackets == (r"\{", r"\}") or (brackets == ("{", "}") and len(parts) > 1):
        return keys.unordered([found for part in parts for found in _members(part)])
    if len(parts) == 1:
        if brackets == (r"\langle", r"\rangle"):
            raise Unread(text)
        return value(inner) if brackets[0] == "{" or is_word(inner) else _bare(text)
    if len(parts) == 2 and ("[" in brackets or "]" in brackets):
        return keys.interval(value(parts[0]), value(parts[1]), brackets[0] + brackets[1])
    if (brackets[0] == "[") != (brackets[1] == "]"):
        raise Unread(text)
    return keys.unordered([keys.sequence(entries) for entries in product(*map(values, parts))])


def _members(part: str) -> list[Reading]:
    """The members of a set that a part stands for; a set in it is a member itself."""
    if part in _SETS or bracketed(part) == (r"\{", r"\}"):
        return [Reading(f"{{{keys.token(value(part))}}}")]
    return values(part)


def _endpoint(text: str) -> Expr:
    if match := re.fullmatch(r"([+-]?) ?\\infty", text):
        return S.NegativeInfinity if match[1] == "-" else S.Infinity
    return expression(text)
