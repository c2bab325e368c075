"""Names in expressions: constants, letters, accents and functions."""

from collections.abc import Callable
from typing import Any

import sympy
from sympy import Integer, S

LETTERS = {"pi": sympy.pi, "e": S.Exp1, "i": S.ImaginaryUnit}
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar".split()
)
ACCENTS = frozenset("overline vec hat tilde dot ddot widehat widetilde mathcal mathbb mathfrak check breve".split())
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    name: getattr(sympy, name)
    for name in "sin cos tan cot sec csc sinh cosh tanh coth asin acos atan acot exp floor factorial Abs sign".split()
} | {
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arccot": sympy.acot, "ln": sympy.log, "abs": sympy.Abs,
    "ceil": sympy.ceiling, "log": lambda x: sympy.log(x, 10), "lg": lambda x: sympy.log(x, 10), "sqrt": sympy.sqrt,
    "cbrt": sympy.cbrt, "cis": lambda x: sympy.exp(S.ImaginaryUnit * x),
}  # fmt: skip
INVERSES = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan, "cot": sympy.acot, "sec": sympy.asec, "csc": sympy.acsc}
OF_SEVERAL: dict[str, Callable[..., Any]] = {
    "max": sympy.Max,
    "min": sympy.Min,
    "gcd": lambda *numbers: Integer(sympy.igcd(*numbers)),
    "lcm": lambda *numbers: Integer(sympy.ilcm(*numbers)),
    "binomial": sympy.binomial,
}
"""The greatest common divisor and the least common multiple of variables have no value: the functions raise an error."""
