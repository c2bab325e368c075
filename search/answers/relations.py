r"""Reads equations and inequalities.

- A chain of equal numbers stands for its last number, a false one is text. ``name = value`` stands for the value, whatever the
  name; an equation with variables also equals the same equation in another form.
- An inequality in one variable is the interval of its solutions; without a variable it is text, as is a bare ``\le 5``.
"""

import re
from collections.abc import Callable
from itertools import pairwise

import sympy
from sympy import Expr, S, Symbol

from epf.search.answers import keys
from epf.search.answers.expression import parsed
from epf.search.answers.reading import Reading, same
from epf.search.answers.split import Chain, bracketed, chain, elements
from epf.search.answers.terms import attempt, element, expression, is_name, is_number, real_set, value
from epf.search.answers.text import normalised
from epf.search.answers.tokens import Unread

_INDICES = re.compile(r"[_^] ?(?:\{[^{}]*\}|\w)|(?<=[A-Za-z}]) ?\([^()]*\)")
_CURVE = re.compile(r"[xyz] ?\^")  # such an equation is an answer of its own, and not only a name for its right side
_INEQUALITIES: dict[str, Callable[[Expr, Expr], sympy.Basic]] = {
    "<": sympy.Lt, ">": sympy.Gt, r"\le": sympy.Le, r"\ge": sympy.Ge, r"\ne": sympy.Ne,
}  # fmt: skip


def relation(links: Chain) -> Reading:
    """Return the reading of sides with relations between them.

    Raises:
        Unread: the relations are of other kinds, or say nothing about a variable.
    """
    if r"\approx" in links.relations:
        return _approximation(links)
    if links.relations[-1] in (r"\in", r"\equiv"):
        return element(links.sides[-1])
    if links.is_inequality:
        return keys.real_set(solutions(links)) if _n_variables(links) == 1 else _several_variables(links)
    if set(links.relations) != {"="}:
        raise Unread(str(links))
    return _equation(links.sides)


def system(chains: list[Chain]) -> Reading | None:
    """Return the reading of ``x=1, y=2``, or None for anything but equations that give different variables their values."""
    if not all(len(c.sides) == 2 and c.relations == ("=",) and is_name(c.sides[0]) for c in chains):
        return None
    names = [c.sides[0] for c in chains]
    return _of_names(names, [c.sides[1] for c in chains]) if len(set(names)) == len(names) else None


def described_set(text: str) -> sympy.Set:
    """Return the real numbers that an inequality or a union of intervals describes."""
    links = chain(text)
    return solutions(links) if links.relations else real_set(text)


def solutions(links: Chain) -> sympy.Set:
    """Return the real numbers that an inequality in one variable describes."""
    if links.relations == (r"\in",):
        return real_set(links.sides[-1])
    sides = [expression(side) for side in links.sides]
    (variable,) = set().union(*(side.free_symbols for side in sides))
    found: sympy.Set = S.Reals
    for (left, right), sign in zip(pairwise(sides), links.relations, strict=True):
        inequality = _INEQUALITIES[sign](left, right)
        found = sympy.Intersection(found, sympy.solve_univariate_inequality(inequality, variable, relational=False))
    return found


def _approximation(links: Chain) -> Reading:
    r"""``x = 1/3 \approx 0.33`` stands for the exact value; ``x \approx 0.33`` for the only one."""
    at = links.relations.index(r"\approx")
    exact = Chain(links.sides[: at + 1], links.relations[:at])
    if exact.relations:
        return relation(exact)
    first = attempt(value, exact.sides[0])
    return first if first is not None and is_number(first) else element(links.sides[-1])


def _equation(sides: tuple[str, ...]) -> Reading:
    left, right = sides[0], sides[-1]
    if not left:
        return element(right)
    if bracketed(left) and bracketed(right):
        names, entries = elements(left[1:-1], ","), elements(right[1:-1], ",")
        if len(names) == len(entries) > 1 and all(map(is_name, names)):
            return _of_names(names, entries)
    first, last = attempt(value, left), element(right)
    if first is None or _is_label(left):
        return last
    if is_number(first):
        if len(sides) == 2 and is_name(right):
            return first
        if _is_false(sides):
            raise Unread("a false equation")
        return last
    if same(first, last) or len(sides) > 2:
        return last
    key = attempt(lambda _: keys.equation(expression(left), expression(right)), left)
    if key is None:
        return last
    if is_name(left) and is_number(last):
        return last._replace(also=(*last.also, key))
    asks_for_left = is_name(left) or (
        is_number(last) and not _CURVE.search(left) and not re.search(r"\d", _INDICES.sub("", left))
    )
    return Reading(key, (last.key, *last.also) if asks_for_left else ())


def _of_names(names: list[str], entries: list[str]) -> Reading:
    """A system, which is also a tuple in the order of the names, and a list."""
    found = dict(sorted(zip(map(normalised, names), map(element, entries), strict=True)))
    key = "sys:" + ",".join(f"{name}={keys.token(entry)}" for name, entry in found.items())
    pair, listed = keys.sequence(found.values()), keys.unordered(found.values())
    also = (pair.key, *pair.also)
    # As a list, ``a = 1, b = 1`` would be 1 and equal ``a = 1``.
    return Reading(key, (*also, listed.key, *listed.also) if len(set(found.values())) > 1 else also)


def _is_false(sides: tuple[str, ...]) -> bool:
    """Whether all sides are numbers, but not the same, units apart."""
    numbers = [number._replace(units=frozenset()) for side in sides if (number := attempt(value, side)) and is_number(number)]
    return len(numbers) == len(sides) and not all(same(a, b) for a, b in pairwise(numbers))


def _is_label(text: str) -> bool:
    """Whether the left side of an equation only says what is on the right: ``f(x)``, ``AB``."""
    found = attempt(parsed, text)
    return isinstance(found, Symbol) and ("(" in found.name or (found.name.isupper() and len(found.name) > 1))


def _several_variables(links: Chain) -> Reading:
    sides = [expression(side) for side in links.sides]
    if not any(side.free_symbols for side in sides) or r"\ne" in links.relations:
        raise Unread("an inequality without a variable")
    found = []
    for (left, right), sign in zip(pairwise(sides), links.relations, strict=True):
        smaller, larger = (left, right) if sign in ("<", r"\le") else (right, left)
        found.append(keys.inequality(smaller, larger, strict=sign in "<>"))
    return Reading("&".join(sorted(found)))


def _n_variables(links: Chain) -> int:
    return len(set().union(*(expression(side).free_symbols for side in links.sides)))
