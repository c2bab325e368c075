"""Keys of mathematical values: equal keys mean equal values.

A number that is rational has its fraction as a key, any other number its first 60 digits, real and imaginary part. An
expression with variables is evaluated to 25 digits at eight points that follow from the names of its variables, small and
large, one of them all positive and one all negative. Expressions that agree there are equal: two different polynomials of
degree d agree at a random point of 50 digits with a chance below d / 10**50. No simplification can hang or depend on the order
of the two sides. Functions with steps, which may agree at many points, are compared as they are written, with sorted terms.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import sympy
from sympy import Expr, Float, MatrixBase, Rational, S, Symbol
from sympy.core.function import AppliedUndef

from epf.search.answers.reading import Reading
from epf.search.answers.tokens import Unread

_DIGITS = 120
_KEY_DIGITS = 60
_POINT_DIGITS = 50
_POINT_KEY_DIGITS = 25
_SCALES = (1, 1, 1, 1, 20, 20, 500, 500)
"""Size of the coordinates of each point."""
_STEPS = (sympy.floor, sympy.ceiling, sympy.Mod, sympy.sign, sympy.Max, sympy.Min)
_PLACES = range(6, 21)
"""A decimal with this number of places, and at least six digits, that rounds an irrational number equals it."""
_UNIT_VECTORS = (r"\hat{i}", r"\hat{j}", r"\hat{k}")
_LARGEST_DENOMINATOR = 10**9


def reading(value: Expr | MatrixBase) -> Reading:
    """Return the reading of an expression or a matrix.

    Raises:
        Unread: it has no value, like ``1/0``, or contains an infinity and more.
    """
    if isinstance(value, MatrixBase):
        return matrix([[reading(value[i, j]) for j in range(value.shape[1])] for i in range(value.shape[0])])
    if value in (S.Infinity, S.NegativeInfinity):
        return Reading(str(value))
    if value.has(S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN):
        raise Unread(str(value))
    if value.is_Rational:
        return Reading(_rational(value))
    value = value.replace(lambda part: isinstance(part, AppliedUndef), lambda part: Symbol(str(part), real=True))
    if value.free_symbols:
        return _of_variables(value)
    number = value.evalf(_DIGITS, maxn=4 * _DIGITS)
    key, is_real = _number(number, _KEY_DIGITS)
    return Reading(key, tuple(_rounded(number)) if is_real and "e" in key else ())


def equation(left: Expr, right: Expr) -> str:
    """Return the key of ``left = right``, the same after multiplication by a constant or by the denominators."""
    difference = sympy.fraction(sympy.together(left - right))[0]
    values = [_at(difference, point) for point in range(len(_SCALES))]
    if values[0].is_zero or any(not v.is_finite for v in values):
        raise Unread(f"{left} = {right}")
    return "eq:" + ",".join(_number(v / values[0], _POINT_KEY_DIGITS)[0] for v in values[1:]) + _names(difference)


def inequality(smaller: Expr, larger: Expr, *, strict: bool) -> str:
    """Return the key of ``smaller < larger`` or ``smaller <= larger``, the same after multiplication by a positive number."""
    values = [_at(larger - smaller, point) for point in range(len(_SCALES))]
    if any(not v.is_extended_real or not v.is_finite or v.is_zero for v in values):
        raise Unread(f"{smaller} < {larger}")
    return ("<" if strict else "<=") + ",".join(_number(v / abs(values[0]), _POINT_KEY_DIGITS)[0] for v in values)


def matrix(rows: Sequence[Sequence[Reading]]) -> Reading:
    """Return the reading of a matrix; a single row or column is a tuple as well."""
    key = "mat:" + ";".join(",".join(map(token, row)) for row in rows)
    if len(rows) == 1 or len(rows[0]) == 1:
        return Reading(key, (sequence([entry for row in rows for entry in row]).key,))
    return Reading(key)


def sequence(elements: Iterable[Reading]) -> Reading:
    """Return the reading of a tuple."""
    return _collection(list(elements), "({})", ",".join)


def unordered(elements: Iterable[Reading]) -> Reading:
    """Return the reading of a set or a list without order; one element alone is that element."""
    distinct = list(dict.fromkeys(elements))
    if len(distinct) == 1:
        return distinct[0]
    return _collection(distinct, "{{{}}}", lambda tokens: ",".join(sorted(set(tokens))))


def listed(elements: Iterable[Reading]) -> Reading:
    """Return the reading of a list without order; where elements are repeated it also equals the list without repetitions."""
    found = list(elements)
    once = unordered(found)
    if len(set(found)) == len(found):
        return once
    return Reading("{" + ",".join(sorted(map(token, found))) + "}", (once.key, *once.also))


def token(element: Reading) -> str:
    """Return what stands for an element in the key of a collection."""
    return element.key + "".join(f" {unit}" for unit in sorted(element.units))


def _collection(elements: list[Reading], form: str, joined: Callable[[Iterable[str]], str]) -> Reading:
    key = form.format(joined(map(token, elements)))
    bare = form.format(joined(element.key for element in elements))
    return Reading(key, () if bare == key else (bare,))


def interval(start: Reading, end: Reading, brackets: str) -> Reading:
    """Return the reading of an interval, for example with the brackets ``[)``. An open one looks like a pair, and equals it."""
    return Reading(f"{brackets[0]}{start.key},{end.key}{brackets[1]}")


def real_set(found: sympy.Set) -> Reading:
    """Return the reading of a set of real numbers.

    Raises:
        Unread: it is not made of intervals and single numbers.
    """
    if isinstance(found, sympy.Complement | sympy.Intersection):
        found = found.doit()
    parts = found.args if isinstance(found, sympy.Union) else (found,)
    readings: list[Reading] = []
    for part in parts:
        if isinstance(part, sympy.FiniteSet):
            readings += [reading(element) for element in part]
        elif part is S.Reals:
            readings.append(Reading("(-oo,oo)"))
        elif isinstance(part, sympy.Interval):
            brackets = ("(" if part.left_open else "[") + (")" if part.right_open else "]")
            readings.append(interval(reading(part.start), reading(part.end), brackets))
        elif part is not S.EmptySet:
            raise Unread(str(found))
    return unordered(readings) if readings else Reading("{}")


def _rational(value: Expr) -> str:
    return str(Fraction(int(value.p), int(value.q)))


def _of_variables(value: Expr) -> Reading:
    if (vector := _vector(value)) is not None:
        return vector
    values = [] if value.has(*_STEPS) else [_at(value, point) for point in range(len(_SCALES))]
    if not any(v.is_finite for v in values):
        return Reading(f"tree:{sympy.srepr(value)}")
    keys = [_number(v, _POINT_KEY_DIGITS)[0] if v.is_finite else "" for v in values]
    if len(set(keys)) == 1:  # a constant in disguise, such as sin(x)**2 + cos(x)**2
        return Reading(keys[0])
    return Reading("fn:" + ",".join(keys))


def _vector(value: Expr) -> Reading | None:
    """The tuple that an expression in unit vectors is, such as ``i + 2j`` in bold letters; None for any other."""
    names = {s.name: s for s in value.free_symbols}
    if not any(unit in names for unit in _UNIT_VECTORS):
        return None
    size = 3 if _UNIT_VECTORS[2] in names else 2
    basis = [names.get(unit, Symbol(unit, real=True)) for unit in _UNIT_VECTORS[:size]]
    parts = [sympy.expand(value).coeff(unit) for unit in basis]
    rest = sympy.expand(value - sum(part * unit for part, unit in zip(parts, basis, strict=True)))
    return sequence([reading(part) for part in parts]) if rest == 0 else None


def _at(value: Expr, point: int) -> Expr:
    """The value at one of the points, or NaN where it has none."""
    found = value.evalf(_POINT_DIGITS, subs={s: _coordinate(s.name, point) for s in value.free_symbols})
    return found if found.is_number and (found.is_Float or found.is_Integer or found.as_real_imag()[0].is_Number) else S.NaN


def _coordinate(name: str, point: int) -> Float:
    digest, pair = (int.from_bytes(hashlib.sha256(f"{name} {k}".encode()).digest()) for k in (point, point // 2))
    size = _SCALES[point] * (Rational(digest, 2**256) + Rational(1, 2))
    negative = (point + pair) % 2 if point > 1 else point  # of each two points one has a variable negative
    return Float(-size if negative else size, _POINT_DIGITS)


def _names(value: Expr) -> str:
    return ";" + ",".join(sorted(s.name for s in value.free_symbols))


def _number(value: Expr, digits: int) -> tuple[str, bool]:
    """The key of a number that was evaluated, and whether it is real."""
    real, imaginary = value.as_real_imag()
    parts = [Float(part, 2 * digits) if not _is_zero(part) else S.Zero for part in (real, imaginary)]
    if not all(part.is_Number and part.is_finite for part in parts):
        raise Unread(str(value))
    scale = max(abs(part) for part in parts)
    real, imaginary = (S.Zero if abs(part) < scale / 10**digits else part for part in parts)
    if imaginary == 0:
        return _digits(real, digits), True
    return f"{_digits(real, digits)}+{_digits(imaginary, digits)}i", False


def _is_zero(part: Expr) -> bool:
    """Whether a part is zero, exactly or because nothing but rounding errors is left of it."""
    return bool(part.is_zero) or (isinstance(part, Float) and (part == 0 or part._prec < 10))


def _digits(value: Expr, digits: int) -> str:
    if value == 0:
        return "0"
    exact = Fraction(Decimal(str(value)))
    simple = exact.limit_denominator(_LARGEST_DENOMINATOR)
    if abs(exact - simple) < abs(exact) / 10**digits:
        return str(simple)
    return f"{Decimal(str(value)):.{digits - 1}e}"


def _rounded(value: Expr) -> Iterable[str]:
    """The keys of the decimals that round a real number."""
    exact = Decimal(str(value))
    if abs(exact) < 10**15:
        for places in _PLACES:
            if abs(exact) * 10**places > 10**5:
                yield str(Fraction(exact.quantize(Decimal(10) ** -places, ROUND_HALF_UP)))
