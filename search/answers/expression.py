r"""Reads one mathematical expression, whole or not at all.

The parser is our own, since Math-Verify's reads prefixes and worse: ``2(3)`` as 5, ``A^T`` as ``A``, ``0.1`` as a binary float,
each in a tenth of a second. What ours does not know, such as sums, integrals, limits and products of matrices, :func:`parsed`
leaves to Math-Verify, in parentheses, so that it cannot stop early.

Letters are variables and multiply; ``e`` and ``i`` are the constants. Decimals are exact.
"""

import re
from collections.abc import Callable
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse
from sympy import Expr, Integer, MatrixBase, Rational, S, Symbol

from epf.search.answers.numbers import decimal
from epf.search.answers.text import closing, normalised


class Unread(Exception):
    """The text is not an expression that is read here."""


_LETTERS = {"pi": sympy.pi, "e": S.Exp1, "i": S.ImaginaryUnit}
_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar".split()
)
_ACCENTS = frozenset("overline vec hat tilde dot ddot widehat widetilde mathcal mathbb mathfrak check breve".split())
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    name: getattr(sympy, name)
    for name in "sin cos tan cot sec csc sinh cosh tanh coth asin acos atan acot exp floor factorial Abs sign".split()
} | {
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arccot": sympy.acot, "ln": sympy.log, "abs": sympy.Abs,
    "ceil": sympy.ceiling, "log": lambda x: sympy.log(x, 10), "lg": lambda x: sympy.log(x, 10), "sqrt": sympy.sqrt,
    "cbrt": sympy.cbrt, "cis": lambda x: sympy.exp(S.ImaginaryUnit * x),
}  # fmt: skip
_INVERSES = {"sin": sympy.asin, "cos": sympy.acos, "tan": sympy.atan, "cot": sympy.acot, "sec": sympy.asec, "csc": sympy.acsc}
_OF_SEVERAL: dict[str, Callable[..., Any]] = {"max": sympy.Max, "min": sympy.Min, "gcd": sympy.gcd, "lcm": sympy.lcm}
_TOKEN = re.compile(
    r"""[ ]* (?:
        (?P<number> (?:\d{1,3}(?:,\d{3})+(?![\d,]) | \d+) (?:\.\d+)? (?:[eE][-+]?\d{1,3}(?![\d.A-Za-z]))? | \.\d+ )
      | \\(?P<command> [A-Za-z]+ | [{}|] )
      | (?P<name> [A-Za-z]+ )
      | (?P<sign> \*\* | [-+*/^!|()\[\]{},_'] )
      )""",
    re.VERBOSE | re.ASCII,
)
_HARD = re.compile(r"\\(?:sum|int|iint|prod|lim|frac\s*\{\s*d\s*\}|frac\s*\{\s*\\partial|begin|det)(?![A-Za-z])")


def parsed(text: str) -> Expr | MatrixBase:
    """Return the value of an expression in tidy text.

    Raises:
        Unread: the text is something else, or only its beginning is an expression.
    """
    if _HARD.search(text):
        return _by_math_verify(text)
    reader = _Reader(text)
    value = reader.sum()
    if reader.kind != "end":
        raise Unread(text)
    return value


def _by_math_verify(text: str) -> Expr | MatrixBase:
    found = parse(f"$({text})$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)
    if len(found) != 1 or not isinstance(found[0], Expr | MatrixBase):
        raise Unread(text)
    if any("_" in symbol.name for symbol in found[0].free_symbols) and re.search(r"\\(?:sum|prod)", text):
        return Symbol(str(found[0]))  # the index of a variable is no number, so nothing can be summed
    value = found[0].doit()
    letters = {s: _LETTERS[s.name] for s in value.free_symbols if s.name in _LETTERS}
    return value.xreplace(letters)


class _Reader:
    """Recursive descent over the tokens of one text; ``kind`` and ``token`` are the next one, ``at`` is behind it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.in_bars = 0
        self.next()

    def next(self) -> None:
        self.start = self.at
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            if self.text[self.at :].strip():
                raise Unread(self.text)
            self.kind, self.token = "end", ""
        else:
            self.kind, self.token, self.at = str(match.lastgroup), match[str(match.lastgroup)], match.end()
            if self.kind == "name" and self.token not in _FUNCTIONS and self.token not in _OF_SEVERAL and self.token != "mod":
                self._one_letter(match.start("name"))

    def _one_letter(self, start: int) -> None:
        """Names of functions and constants may stand in a run of letters; other letters are variables of their own."""
        run = self.token
        if run.isupper() and len(run) > 1:
            return  # a segment such as AB
        if known := re.match("pi|sqrt|sin|cos|tan|log|ln|exp", run):
            self.token, self.at = known[0], start + known.end()
        elif len(run) > 3:
            raise Unread(self.text)
        else:
            self.token, self.at = run[0], start + 1

    def is_sign(self, *signs: str) -> bool:
        return self.kind == "sign" and self.token in signs

    def is_command(self, *names: str) -> bool:
        return self.kind == "command" and self.token in names

    def take(self, sign: str) -> None:
        if not self.is_sign(sign):
            raise Unread(self.text)
        self.next()

    def sum(self) -> Any:
        value = self.product()
        while self.is_sign("+", "-"):
            minus = self.token == "-"
            self.next()
            term = self.product()
            value = value - term if minus else value + term
        return value

    def product(self) -> Any:
        if self.is_sign("-", "+"):
            minus = self.token == "-"
            self.next()
            if self.is_sign("-", "+"):
                raise Unread(self.text)
            value = self.product()
            return -value if minus else value
        value = self.factor()
        while True:
            if self.is_sign("*") or self.is_command("cdot", "times"):
                self.next()
                value = value * self.signed_factor()
            elif self.is_sign("/") or self.is_command("div"):
                self.next()
                value = value / self.signed_factor()
            elif self.is_command("bmod", "mod") or self.token == "mod":
                self.next()
                value = sympy.Mod(value, self.signed_factor())
            elif self.starts_factor():
                value = value * self.factor()
            else:
                return value

    def signed_factor(self) -> Any:
        if self.is_sign("-"):
            self.next()
            return -self.factor()
        return self.factor()

    def starts_factor(self) -> bool:
        """Whether a factor follows without an operator. A number does not: ``1 2`` and ``x2`` are no products."""
        if self.is_sign("|"):
            return not self.in_bars
        return (
            (self.kind == "name" and self.token != "mod")
            or self.is_sign("(", "{", "[")
            or (
                self.kind == "command"
                and self.token not in {"}", "|", "rfloor", "rceil", "cdot", "times", "div", "bmod", "mod"}
            )
        )

    def factor(self) -> Any:
        """An atom with its powers, factorials and degrees."""
        value = self.number() if self.kind == "number" else self.atom()
        while True:
            if self.is_sign("^", "**"):
                self.next()
                if self.is_command("circ"):
                    self.next()
                    value = value * sympy.pi / 180
                else:
                    value = value ** self.exponent()
            elif self.is_sign("!"):
                self.next()
                if double := self.is_sign("!"):
                    self.next()
                value = sympy.factorial2(value) if double else sympy.factorial(value)
            else:
                return value

    def exponent(self) -> Any:
        if self.is_sign("-"):
            self.next()
            return -self.exponent()
        value = self.number(mixed=False) if self.kind == "number" else self.argument()
        if self.is_sign("^", "**"):
            self.next()
            value = value ** self.exponent()
        return value

    def number(self, *, mixed: bool = True) -> Any:
        written = self.token
        self.next()
        digits, _, power = written.replace(",", "").lower().partition("e")
        exact = decimal(digits)
        value = Rational(exact.numerator, exact.denominator) * Integer(10) ** int(power or 0)
        if mixed and written.isdigit() and self.is_command("frac"):
            fraction = re.compile(r"\\frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))").match(
                self.text, self.start + self._blanks()
            )
            if fraction and int(fraction[3] or fraction[4]):
                self.at = fraction.end()
                self.next()
                return value + Rational(int(fraction[1] or fraction[2]), int(fraction[3] or fraction[4]))
        if self.kind == "number" or self.is_sign("_"):
            raise Unread(self.text)
        return value

    def _blanks(self) -> int:
        rest = self.text[self.start :]
        return len(rest) - len(rest.lstrip())

    def argument(self) -> Any:
        r"""The argument of a command: a group in braces, or one digit, letter or command, as in ``\frac12``."""
        if self.is_sign("{"):
            return self.group("{", "}")
        if self.kind == "number":
            digit = self.text[self.start + self._blanks()]
            self.at = self.start + self._blanks() + 1
            self.next()
            if not digit.isdigit():
                raise Unread(self.text)
            return Integer(int(digit))
        return self.atom()

    def group(self, start: str, end: str) -> Any:
        self.take(start)
        bars, self.in_bars = self.in_bars, 0
        value = self.sum()
        self.in_bars = bars
        self.take(end)
        return value

    def atom(self) -> Any:
        if self.kind == "name":
            return self.named()
        if self.kind == "command":
            return self.command()
        if self.is_sign("("):
            return self.group("(", ")")
        if self.is_sign("["):
            return self.group("[", "]")
        if self.is_sign("{"):
            return self.group("{", "}")
        if self.is_sign("|"):
            self.next()
            self.in_bars += 1
            value = self.sum()
            self.in_bars -= 1
            self.take("|")
            return sympy.Abs(value)
        raise Unread(self.text)

    def named(self) -> Any:
        name = self.token
        start = self.start + self._blanks()
        if name in _FUNCTIONS or name in _OF_SEVERAL:
            self.next()
            return self.applied(name)
        self.next()
        if name in _LETTERS and not self.is_sign("_", "'"):
            return _LETTERS[name]
        return self.variable(name, start)

    def variable(self, name: str, start: int) -> Any:
        """A variable with its index and primes, or a function's value, which is one quantity with a long name."""
        if self.is_sign("_"):
            self.next()
            self.skip_index()
        while self.is_sign("'"):
            self.next()
        is_function = (
            name in "fghFGHP" or (len(name) == 1 and name.isupper()) or self.text[start : self.start].rstrip().endswith("'")
        )
        if is_function and self.is_sign("("):
            end = _closing_parenthesis(self.text, self.start + self._blanks())
            self.at = end + 1
            self.next()
        written = self.text[start : self.start].strip()
        return Symbol(name if written == name else normalised(written.replace(" ", "")), real=True)

    def skip_index(self) -> None:
        if self.is_sign("{"):
            end = closing(self.text, self.start + self._blanks())
            if end < 0:
                raise Unread(self.text)
            self.at = end + 1
        elif self.kind not in ("number", "name", "command") or (self.kind == "number" and not self.token.isdigit()):
            raise Unread(self.text)
        self.next()

    def command(self) -> Any:
        name, start = self.token, self.start + self._blanks()
        self.next()
        if name == "frac":
            top = self.argument()
            return top / self.argument()
        if name == "sqrt":
            return self.root()
        if name == "binom":
            n = self.argument()
            return sympy.binomial(n, self.argument())
        if name == "pi":
            return sympy.pi
        if name in ("lfloor", "lceil"):
            value = self.sum()
            if not self.is_command("rfloor" if name == "lfloor" else "rceil"):
                raise Unread(self.text)
            self.next()
            return sympy.floor(value) if name == "lfloor" else sympy.ceiling(value)
        if name == "text" and (
            function := re.match(r"\\text\s*\{\s*(cis|sin|cos|tan|log|ln|exp|gcd|lcm|max|min)\s*\}", self.text[start:])
        ):
            self.at = start + function.end()
            self.next()
            return self.applied(function[1])
        if name in _FUNCTIONS or name in _OF_SEVERAL:
            return self.applied(name)
        if name in _GREEK:
            return self.variable(f"\\{name}", start)
        if name in _ACCENTS:
            if self.is_sign("{"):
                self.at = closing(self.text, self.start + self._blanks()) + 1
                if not self.at:
                    raise Unread(self.text)
            self.next()
            return self.variable(f"\\{name}", start)
        raise Unread(self.text)

    def root(self) -> Any:
        degree: Any = Integer(2)
        if self.is_sign("["):
            degree = self.group("[", "]")
        value = self.argument()
        if degree.is_odd and value.is_negative:
            return -((-value) ** (1 / degree))
        return value ** (1 / degree)

    def applied(self, name: str) -> Any:
        r"""A function with its argument: in parentheses, or the factors that follow, as in ``\sin 2x \cos x``."""
        if name in _OF_SEVERAL:
            values = self.several()
            return _OF_SEVERAL[name](*values)
        function = _FUNCTIONS[name]
        power: Any = None
        if name == "log" and self.is_sign("_"):
            self.next()
            base = self.argument()
            function = lambda x: sympy.log(x, base)  # noqa: E731
        if self.is_sign("^", "**"):
            self.next()
            power = self.exponent()
            if power == -1 and name in _INVERSES:
                function, power = _INVERSES[name], None
        value = function(self.function_argument(name))
        return value if power is None else value**power

    def several(self) -> list[Any]:
        self.take("(")
        values = [self.sum()]
        while self.is_sign(","):
            self.next()
            values.append(self.sum())
        self.take(")")
        return values

    def function_argument(self, name: str) -> Any:
        if name == "sqrt":
            return self.argument()
        if self.is_sign("(", "{", "|", "["):
            return self.atom()
        value = self.signed_factor()
        while (self.kind == "name" and self.token not in _FUNCTIONS) or (
            self.kind == "command" and (self.token in _GREEK or self.token in ("pi", "frac", "sqrt"))
        ):
            value = value * self.factor()
        if self.is_sign("/") and re.match(r"\s*/\s*\d", self.text[self.start :]):
            self.next()
            value = value / self.factor()
        return value


def _closing_parenthesis(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise Unread(text)
