r"""Reads an answer that is more than a plain number: lists, equations, inequalities, intervals, sets, vectors, expressions.

Imports SymPy and may hang on a text such as ``9^{9^{9}}``, so it runs in a worker process. What holds:

- An answer is read whole or not at all; what is not read is compared as text.
- A chain of equal numbers stands for its last number, a false one is text. ``name = value`` stands for the value, whatever the
  name; an equation with variables is also equal to the same equation in another form.
- An inequality in one variable is the interval of its solutions; without a variable it is text, as is a bare ``\le 5``.
- Three and more letters, and segments such as ``AB``, are words and not products. Two small letters are a product.
- A list of numbers has no order, a list of letters or words has one; in braces nothing has an order, in parentheses everything.
- ``(1, 2)`` may be a pair or an open interval: both are equal. A row and a column are tuples, but not each other.
- A number with the base as an index, ``204_5``, equals only the same digits in the same base.
"""

import re
from collections.abc import Callable
from itertools import pairwise, product
from typing import TypeVar

import sympy
from sympy import Expr, MatrixBase, S, Symbol

from epf.search.answers import keys
from epf.search.answers.expression import Unread, parsed
from epf.search.answers.numbers import quantity
from epf.search.answers.reading import Reading, same
from epf.search.answers.split import Chain, at_top, bracketed, chain, elements
from epf.search.answers.text import as_text, normalised, tidy
from epf.search.answers.units import currency, units

_T = TypeVar("_T")

MAX_LENGTH = 1000
"""Answers with more characters are compared as text."""

_OR = re.compile(r"(?<![A-Za-z\\])or(?![A-Za-z])|\\text\{ ?,? ?or ?\}")
_SIGNS = re.compile(r"\\[pm][pm](?![a-z])")
_SHORT_WORDS = frozenset("no on is so or of to in it at as he me we us by be do go my an ox am up if hi ok".split())
_BASE = re.compile(
    r"\(?(?P<digits>[0-9A-Z][0-9A-Za-z]*)\)? ?_ ?"
    r"(?:(?P<digit>\d+)|\{ ?(?:\\text\{ ?)?(?P<base>\w+) ?\}?\}|\\text\{ ?(?P<word>\w+)\})"
)
_INDICES = re.compile(r"[_^] ?(?:\{[^{}]*\}|\w)|(?<=[A-Za-z}]) ?\([^()]*\)")
_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
_SETS = {r"\mathbb{R}": S.Reals, r"\emptyset": S.EmptySet, r"\{\}": S.EmptySet, r"\{ \}": S.EmptySet}
_POINT = re.compile(r"[A-Z](?:_?\d|')? ?(?=\(.*,.*\)$)")
_MODULUS = re.compile(r"(.+?) ?(?:\\pmod ?(?:\{ ?(\d+) ?\}|(\d+))|\( ?(?:\\bmod|\\mod|\\text\{ ?mod ?\}|mod) ?(\d+) ?\))$")
_MATRIX = re.compile(
    r"\\begin\{(?P<kind>[pbBvV]?(?:small)?matrix|array)\}(?:\{[clr|]*\})?(?P<rows>(?:(?!\\begin).)*)\\end\{(?P=kind)\}",
    re.DOTALL,
)
_CHOICE = re.compile(
    r"(?:\\text\{ ?)?\(([A-Z])\) ?(?:\} ?)?:?(?![-+=/*^_\s]|\\(?:cdot|times|cup|cap|in))(.+)|([A-Z])\)|\[([A-Z])\]"
)
_NO_ARITHMETIC = re.compile(r"\d+-\d+(?:-\d+)?(?: [A-Za-z ]+)?|\d+/\d+/\d+")
_TRANSPOSED = re.compile(r"(.+?) ?\^ ?(?:T|\{ ?T ?\}|\\top|\{ ?\\top ?\}|\{?\\text\{T\}\}?)$")
_REALS_WITHOUT = re.compile(r"^\\mathbb\{R\} ?- ?(?=\\\{)")
_INTERVAL = re.compile(r"( *)([\[\]])([^\[\]]+[,;][^\[\]]+)([\[\]])( *)")
_FRACTION_CALL = re.compile(r"(?:Fraction|Rational)\((-?\d+), ?(\d+)\)")
_SET_PARTS = re.compile(r"(\\cup|\\in)(?![a-z])")
_PHRASES = {
    **dict.fromkeys(
        ("no solution", "no solutions", "no real solution", "no real solutions", "empty set", "the empty set"), S.EmptySet
    ),
    **dict.fromkeys(("all real numbers", "all reals", "all real values", "the real numbers", "any real number"), S.Reals),
}
_PYTHON_INFINITY = re.compile(r"(?<![A-Za-z\\])(?:inf|infinity|oo)(?![A-Za-z])")
_ROW_END = re.compile(r"\\\\(?:\[[^\[\]]*\])?")
_CURRENCY = re.compile(r"(-?) ?((?:US|HK|CA|AU|NZ|[CAS])?\$|[€£¥₹])(?=[ \d\\(.-])")
_INNER_CURRENCY = re.compile(r"(?:US)?[$€£](?=[ ]?\d)")
_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|text\{cis\})")
_WORDS = re.compile(r"[A-Za-z]+(?:(?: |(?<=[a-z]{2})-)[A-Za-z']+)*|(?:\\text\{[^{}]*\} ?)+")
_COMPOUND = re.compile(r"(\d+(?:\.\d+)?)( ?(?:[A-Za-z]+|\\text\{[A-Za-z ]+\}))(?: ?, ?| and |\\text\{ ?and ?\}| )?")


def read(answer: str) -> Reading:
    """Return the reading of any answer. Never raises an exception that is not a lack of memory, but may take for ever."""
    if len(answer) > MAX_LENGTH:
        return as_text(answer)
    try:
        return _answer(_rewritten(tidy(answer)))
    except MemoryError:
        raise
    except Exception:  # SymPy raises many kinds on unusual input
        return as_text(answer)


def _rewritten(text: str) -> str:
    r"""What programs and other countries write, as it is written here: ``inf``, ``3 x 10^8``, ``]0, 1]``."""
    text = _PYTHON_INFINITY.sub(r"\\infty ", text)
    text = _FRACTION_CALL.sub(r"\\frac{\1}{\2}", text)
    text = re.sub(r"(?<=\d) ?x ?(?=10 ?\^)", r" \\times ", text)
    text = _REALS_WITHOUT.sub(r"\\mathbb{R} \\setminus ", text)
    return "".join(
        _INTERVAL.sub(_round_brackets, part) if _INTERVAL.fullmatch(part) else part for part in _SET_PARTS.split(text)
    )


def _round_brackets(match: re.Match[str]) -> str:
    return f"{match[1]}{'(' if match[2] == ']' else '['}{match[3]}{')' if match[4] == '[' else ']'}{match[5]}"


def _answer(text: str) -> Reading:
    """A list of values, or one value."""
    if (phrase := _PHRASES.get(normalised(text))) is not None:
        return keys.real_set(phrase)
    if choice := _CHOICE.fullmatch(text):
        return _choice(choice[1] or choice[3] or choice[4], choice[2])
    if _NO_ARITHMETIC.fullmatch(text):
        raise Unread("a score or a date")
    if (number := quantity(text)) is not None:
        return number
    if (compound := _compound(text)) is not None:
        return compound
    for rows in (at_top(text, ";"), _OR.split(text)):
        lengths = {len(elements(row, ",")) for row in rows}
        if len(rows) > 1 and len(lengths) == 1 and lengths != {1}:
            return keys.unordered([_row(elements(row, ",")) for row in rows])
    parts = elements(text, ",;")
    if len(parts) == 1:
        return _one(parts[0])
    return _list(parts, union=bool(re.search(r"(?<![A-Za-z])or(?![A-Za-z])", text)))


def _choice(letter: str, content: str | None) -> Reading:
    """A choice such as ``(B) 12``: equal to its letter and to its content."""
    of_letter = _value(letter)
    if content is None:
        return of_letter
    value = read(content)
    return Reading(f"choice:{letter} {keys.token(value)}", (of_letter.key, value.key, *value.also))


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


def _list(parts: list[str], *, union: bool) -> Reading:
    chains = [chain(part) for part in parts]
    if all(c.is_inequality or r"\cup" in part for c, part in zip(chains, parts, strict=True)):
        solutions = [_solutions(part) for part in parts]
        together = sympy.Union(*solutions) if union else sympy.Intersection(*solutions)
        return keys.real_set(sympy.Union(*solutions) if together is S.EmptySet else together)
    if (system := _system(chains)) is not None:
        return system
    if all(_is_word(part) or re.fullmatch(r"\(?[A-Za-z]\)?", part) for part in parts):
        words = [as_text(part) if _is_word(part) else _one(part) for part in parts]
        return Reading("[" + ",".join(map(keys.token, words)) + "]", (keys.unordered(words).key,))
    found = [_without_names(part) for part in parts]
    return keys.unordered([value for values in found for value in values])


def _row(parts: list[str]) -> Reading:
    """One of several solutions, such as ``p=5, q=2``."""
    return keys.sequence([value for part in parts for value in _without_names(part)])


def _system(chains: list[Chain]) -> Reading | None:
    """The reading of ``x=1, y=2`` as a system, a tuple in the order of the names, and a list; None for anything else."""
    if not all(len(c.sides) == 2 and c.relations == ("=",) and _is_name(c.sides[0]) for c in chains):
        return None
    names = [normalised(c.sides[0]) for c in chains]
    if len(set(names)) < len(names):
        return None
    values = dict(sorted(zip(names, (_one(c.sides[1]) for c in chains), strict=True)))
    return _of_system(values)


def _of_system(values: dict[str, Reading]) -> Reading:
    key = "sys:" + ",".join(f"{name}={keys.token(value)}" for name, value in values.items())
    pair, listed = keys.sequence(values.values()), keys.unordered(values.values())
    return Reading(key, (pair.key, *pair.also, listed.key, *listed.also))


def _without_names(part: str) -> list[Reading]:
    r"""The values of an element of a list: ``x = 3`` is 3, ``\pm 3`` two values, ``(x, y) = (1, 2)`` a pair."""
    links = chain(part)
    if links.relations and set(links.relations) <= {"="} and (_is_name(links.sides[0]) or bracketed(links.sides[0])):
        part = links.sides[-1]
    if _SIGNS.search(part):
        return [_value(signed) for signed in _signs(part)]
    return [_one(part)]


def _one(text: str) -> Reading:
    """One element: a relation or a value."""
    links = chain(text)
    if links.relations:
        return _relation(links)
    if _SIGNS.search(text):
        return keys.unordered([_value(signed) for signed in _signs(text)])
    return _value(text)


def _signs(text: str) -> list[str]:
    r"""All readings of ``\pm`` and ``\mp``; where both occur they go together."""
    if r"\mp" in text:
        return [text.replace(r"\pm", a).replace(r"\mp", b) for a, b in (("+", "-"), ("-", "+"))]
    pieces = text.split(r"\pm")
    return [
        "".join(a + b for a, b in zip(pieces, (*signs, ""), strict=True)).lstrip("+ ")
        for signs in product("+-", repeat=len(pieces) - 1)
    ]


def _relation(links: Chain) -> Reading:
    if r"\approx" in links.relations:
        at = links.relations.index(r"\approx")
        exact = Chain(links.sides[: at + 1], links.relations[:at])
        if exact.relations or (exact.sides[0] and not _is_name(exact.sides[0]) and _is_number(exact.sides[0])):
            return _relation(exact) if exact.relations else _value(exact.sides[0])
        return _one(links.sides[-1])
    if links.relations[-1] == r"\in":
        return _one(links.sides[-1])
    if links.relations[-1] == r"\equiv":
        return _value(links.sides[-1])
    if links.is_inequality:
        return keys.real_set(_solutions_of(links)) if _n_variables(links) == 1 else _several_variables(links)
    if set(links.relations) != {"="}:
        raise Unread(str(links))
    return _equation(links.sides)


def _equation(sides: tuple[str, ...]) -> Reading:
    left, right = sides[0], sides[-1]
    if not left:
        return _one(right)
    if bracketed(left) and bracketed(right):
        names, values = elements(left[1:-1], ","), elements(right[1:-1], ",")
        if len(names) == len(values) > 1 and all(map(_is_name, names)):
            return _of_system(dict(sorted(zip(map(normalised, names), map(_one, values), strict=True))))
    last = _one(right)
    first = _try(_value, left)
    if first is None or _is_label(left):
        return last
    if _is_number_key(first) and len(sides) == 2 and _is_name(right):
        return first
    if _is_number_key(first):
        numbers = [number for side in sides if (number := _try(_value, side)) is not None and _is_number_key(number)]
        if len(numbers) == len(sides) and _is_false(numbers):
            raise Unread("a false equation")
        return last
    if same(first, last):
        return last
    if len(sides) > 2:
        return last
    key = _try(lambda _: keys.equation(_expression(left), _expression(right)), left)
    if key is None:
        return last
    if _is_name(left) and _is_number_key(last):
        return last._replace(also=(*last.also, key))
    asks_for_left = _is_name(left) or (_is_number_key(last) and not re.search(r"\d", _INDICES.sub("", left)))
    return Reading(key, (last.key, *last.also) if asks_for_left else ())


def _is_false(numbers: list[Reading]) -> bool:
    """Whether numbers that an equation says to be equal are not, units apart."""
    bare = [number._replace(units=frozenset()) for number in numbers]
    return not all(same(a, b) for a, b in pairwise(bare))


def _solutions(text: str) -> sympy.Set:
    """The real numbers that an inequality or a union of intervals describes."""
    links = chain(text)
    return _solutions_of(links) if links.relations else _set(text)


def _solutions_of(links: Chain) -> sympy.Set:
    if links.relations == (r"\in",):
        return _set(links.sides[-1])
    if links.relations == (r"\ne",) and _n_variables(links) == 1:
        return sympy.Complement(S.Reals, sympy.FiniteSet(_expression(links.sides[1])))
    sides = [_expression(side) for side in links.sides]
    (variable,) = set().union(*(side.free_symbols for side in sides))
    found: sympy.Set = S.Reals
    for left, relation, right in zip(sides, links.relations, sides[1:], strict=False):
        found = sympy.Intersection(
            found, sympy.solve_univariate_inequality(_relational(left, relation, right), variable, relational=False)
        )
    return found


def _relational(left: Expr, relation: str, right: Expr) -> sympy.Basic:
    types: dict[str, Callable[[Expr, Expr], sympy.Basic]] = {
        "<": sympy.Lt,
        ">": sympy.Gt,
        r"\le": sympy.Le,
        r"\ge": sympy.Ge,
        r"\ne": sympy.Ne,
    }
    return types[relation](left, right)


def _several_variables(links: Chain) -> Reading:
    sides = [_expression(side) for side in links.sides]
    if not any(side.free_symbols for side in sides) or r"\ne" in links.relations:
        raise Unread("an inequality without a variable")
    found = []
    for left, relation, right in zip(sides, links.relations, sides[1:], strict=False):
        smaller, larger = (left, right) if relation in ("<", r"\le") else (right, left)
        found.append(keys.inequality(smaller, larger, strict=relation in "<>"))
    return Reading("&".join(sorted(found)))


def _n_variables(links: Chain) -> int:
    return len(set().union(*(_expression(side).free_symbols for side in links.sides if side)))


def _set(text: str) -> sympy.Set:
    r"""A set of real numbers: intervals, finite sets, ``\mathbb{R}``, and ``\cup``, ``\cap`` and ``\setminus`` of these."""
    text = text.strip()
    for operator, combine in ((r"\cup", sympy.Union), (r"\cap", sympy.Intersection), (r"\setminus", sympy.Complement)):
        parts = at_top(text, operator)
        if len(parts) > 1:
            found = [_set(part) for part in parts]
            if combine is sympy.Complement:
                return sympy.Complement(found[0], sympy.Union(*found[1:]))
            return combine(*found)
    if text in _SETS:
        return _SETS[text]
    brackets = bracketed(text)
    if brackets is None:
        raise Unread(text)
    inner = elements(text[len(brackets[0]) : -len(brackets[1])], ",;", grouping=False)
    if brackets in ((r"\{", r"\}"), ("{", "}")):
        return sympy.FiniteSet(*(_expression(element) for element in inner))
    if len(inner) != 2:
        raise Unread(text)
    return sympy.Interval(_endpoint(inner[0]), _endpoint(inner[1]), brackets[0] in "(]", brackets[1] in ")[")


def _value(text: str) -> Reading:
    """A value without a relation outside brackets."""
    text = text.strip()
    if (number := quantity(text)) is not None:
        return number
    if text in _SETS or (text.startswith(r"\mathbb{R}") and r"\setminus" in text):
        return keys.real_set(_set(text))
    if any(len(at_top(text, operator)) > 1 for operator in (r"\cup", r"\cap", r"\setminus")):
        return keys.real_set(_set(text))
    if re.fullmatch(r"[+-]? ?\\infty", text):
        return Reading("-oo" if text[0] == "-" else "oo")
    if r"\infty" in text and bracketed(text) is None:
        raise Unread(text)
    if modulus := _MODULUS.match(text):
        residue = _value(modulus[1])
        return residue._replace(units=residue.units | {f"mod {modulus[2] or modulus[3] or modulus[4]}"})
    if base := _BASE.fullmatch(text):
        written = base["digit"] or base["base"] or base["word"]
        return Reading(f"base:{base['digits'].upper()}_{_BASES.get(written, written)}")
    if (matrix := _MATRIX.fullmatch(_inside(text))) and matrix["kind"][0] not in "vV":
        return _matrix(matrix["rows"])
    if _MATRIX.fullmatch(text):
        return keys.reading(_determinant(_MATRIX.fullmatch(text)["rows"]))  # type: ignore[index]
    if bracketed(text) is not None:
        return _in_brackets(text)
    if (transposed := _TRANSPOSED.match(text)) and bracketed(transposed[1]) and "," in text:
        return _in_brackets(transposed[1])
    if point := _POINT.match(text):
        return _in_brackets(text[point.end() :])
    ratio = at_top(text, ":")
    if len(ratio) > 1:
        return Reading("ratio:" + ":".join(keys.token(_value(side)) for side in ratio))
    if _is_word(text):
        raise Unread(text)
    return _with_units(text)


def _with_units(text: str) -> Reading:
    """An expression with a currency sign before or units after it."""
    before: frozenset[str] = frozenset()
    if sign := _CURRENCY.match(text):
        before = frozenset({currency(sign[2])})
        text = sign[1] + text[sign.end() :]
    for match in re.finditer(r" |(?<=[\d}) ])(?=\\text|\\mu|\\Omega|%|\^\\circ|\\frac\{\\text|[A-Za-z])", text):
        after = units(text[match.start() :]) if match.start() else None
        start = text[: match.start()].strip()
        if after is None or ("deg" in after and _FUNCTION.search(text)) or (re.search("[A-Za-z]$", start) and len(text) < 3):
            continue
        found = _try(_in_brackets if bracketed(start) else lambda part: keys.reading(_expression(part)), start)
        is_letter = re.fullmatch(r" ?[A-Za-z]", text[match.start() :])
        if found is not None and (_is_number_key(found) or not is_letter):
            return found._replace(units=before | after)
    return keys.reading(_expression(text))._replace(units=before)


def _in_brackets(text: str) -> Reading:
    """A tuple, an interval, a set, or a value in parentheses."""
    brackets = bracketed(text)
    if brackets is None:
        raise Unread(text)
    inner = text[len(brackets[0]) : -len(brackets[1])].strip()
    parts = elements(inner, ",;", grouping=False)
    if brackets == (r"\{", r"\}"):
        builder = re.split(r"\\mid(?![a-z])|\||:", inner, maxsplit=1)
        if len(builder) == 2 and chain(builder[1]).relations:
            return keys.real_set(_solutions(builder[1]))
        return keys.unordered([value for part in parts for value in _without_names(part)])
    if brackets == ("{", "}") and len(parts) > 1:
        return keys.unordered([value for part in parts for value in _without_names(part)])
    if len(parts) == 1:
        if brackets == ("(", ")") and _is_word(inner):
            return _value(inner)
        if brackets in (("(", ")"), ("{", "}"), ("[", "]")):
            return keys.reading(_expression(text)) if brackets[0] != "{" else _one(inner)
        raise Unread(text)
    if brackets == ("[", "]") and len({len(row) for row in map(_row_of_list, parts)}) == 1 and _row_of_list(parts[0]):
        return keys.matrix([[_one(entry) for entry in _row_of_list(part)] for part in parts])
    if len(parts) == 2 and brackets[0] in "([" and brackets[1] in ")]":
        start, end = (_endpoint_reading(part) for part in parts)
        shape = brackets[0] + brackets[1]
        if shape == "()":
            values = [_without_names(part) for part in parts]
            return _tuples(values)
        return keys.interval(start, end, shape)
    if (brackets[0] == "[") != (brackets[1] == "]"):
        raise Unread(text)
    return _tuples([_without_names(part) for part in parts])


def _row_of_list(part: str) -> list[str]:
    """The entries of a list in square brackets, as programs write the row of a matrix; empty for anything else."""
    return elements(part[1:-1], ",", grouping=False) if bracketed(part) == ("[", "]") else []


def _tuples(values: list[list[Reading]]) -> Reading:
    r"""One tuple, or several where an entry has a ``\pm``."""
    return keys.unordered([keys.sequence(entries) for entries in product(*values)])


def _matrix(rows: str) -> Reading:
    cells = [[_one(cell.strip()) for cell in row.split("&")] for row in _ROW_END.split(rows) if row.strip()]
    if len({len(row) for row in cells}) != 1:
        raise Unread(rows)
    return keys.matrix(cells)


def _determinant(rows: str) -> Expr:
    return sympy.Matrix([[_expression(cell) for cell in row.split("&")] for row in _ROW_END.split(rows) if row.strip()]).det()


def _inside(text: str) -> str:
    r"""What is in brackets around an array: ``[\begin{array}...\end{array}]``."""
    brackets = bracketed(text)
    inner = text[1:-1].strip() if brackets in (("(", ")"), ("[", "]")) else ""
    return inner if inner.startswith(r"\begin") and inner.count(r"\begin") == 1 and inner.endswith("}") else text


def _expression(text: str) -> Expr:
    value = parsed(_INNER_CURRENCY.sub("", text.strip()))
    if isinstance(value, MatrixBase):
        return value
    return value


def _endpoint(text: str) -> Expr:
    text = text.strip()
    if match := re.fullmatch(r"([+-]?) ?\\infty", text):
        return S.NegativeInfinity if match[1] == "-" else S.Infinity
    return _expression(text)


def _endpoint_reading(text: str) -> Reading:
    return _value(text)


def _is_word(text: str) -> bool:
    text = text.strip("() ")
    runs = re.findall("[A-Za-z]+", text)
    is_word = any(len(run) > 2 or run in _SHORT_WORDS or (len(run) == 2 and not run.islower()) for run in runs)
    return is_word and _WORDS.fullmatch(text) is not None


def _is_name(text: str) -> bool:
    r"""Whether a text is a variable: ``x``, ``x_1``, ``\theta``."""
    value = _try(parsed, text)
    return isinstance(value, Symbol)


def _is_label(text: str) -> bool:
    """Whether the left side of an equation only says what is on the right: ``f(x)``, ``AB``, ``Total``, ``|AB|``."""
    value = _try(parsed, text)
    return isinstance(value, Symbol) and ("(" in value.name or (value.name.isupper() and len(value.name) > 1))


def _is_number(text: str) -> bool:
    value = _try(_value, text)
    return value is not None and _is_number_key(value)


def _is_number_key(reading: Reading) -> bool:
    return re.match(r"-?[\d.]", reading.key) is not None


def _try(read_part: Callable[[str], _T], text: str) -> _T | None:
    try:
        return read_part(text)
    except MemoryError:
        raise
    except Exception:
        return None
