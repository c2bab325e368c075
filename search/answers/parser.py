"""A recursive-descent parser for one expression in tidy text; :mod:`epf.search.answers.expression` says why there is one."""

import re
from typing import Any

import sympy
from sympy import Expr, Integer, Rational, Symbol

from epf.search.answers.functions import ACCENTS, FUNCTIONS, GREEK, INVERSES, LETTERS, OF_SEVERAL
from epf.search.answers.numbers import decimal
from epf.search.answers.text import normalised
from epf.search.answers.tokens import Tokens, Unread

_FRACTION = re.compile(r"\\frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")
_FUNCTION_IN_TEXT = re.compile(r"\\text\s*\{\s*(cis|sin|cos|tan|log|ln|exp|gcd|lcm|max|min)\s*\}")

_ORDER = re.compile(r"\{ ?\( ?(?:\d+|n) ?\) ?\}")


def parse_whole(text: str) -> Expr:
    """Return the value of an expression.

    Raises:
        Unread: the text is something else, or only its beginning is an expression.
    """
    parser = _Parser(text)
    value = parser.sum()
    if parser.kind != "end":
        raise Unread(text)
    return value


class _Parser(Tokens):
    """One method for each rule; each goes past what it reads."""

    def __init__(self, text: str) -> None:
        self.in_bars = 0
        super().__init__(text)

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
            if self.is_command("times") and r"\vec" in self.text:
                raise Unread(self.text)  # the product of two vectors does not commute
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
                if _ORDER.match(self.text, self.begin):
                    raise Unread(self.text)  # a derivative, and no power
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
            fraction = _FRACTION.match(self.text, self.begin)
            if fraction and int(fraction[3] or fraction[4]):
                self.jump(fraction.end())
                return value + Rational(int(fraction[1] or fraction[2]), int(fraction[3] or fraction[4]))
        if self.kind == "number" or self.is_sign("_"):
            raise Unread(self.text)
        return value

    def argument(self) -> Any:
        r"""The argument of a command: a group in braces, or one digit, letter or command, as in ``\frac12``."""
        if self.is_sign("{"):
            return self.group("{", "}")
        if self.kind == "number":
            digit = self.text[self.begin]
            self.jump(self.begin + 1)
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
        start = self.begin
        if name in FUNCTIONS or name in OF_SEVERAL:
            self.next()
            return self.applied(name)
        self.next()
        if name in LETTERS and not self.is_sign("_", "'"):
            return LETTERS[name]
        return self.variable(name, start)

    def variable(self, name: str, start: int) -> Any:
        """A variable with its index and primes, or a function's value, which is one quantity with a long name."""
        if self.is_sign("_"):
            self.next()
            self.skip_index()
        while self.is_sign("'"):
            self.next()
        is_function = (
            name in "fghFGHP" or (len(name) == 1 and name.isupper()) or self.text[start : self.begin].rstrip().endswith("'")
        )
        if is_function and self.is_sign("("):
            self.jump(self.after_parentheses())
        written = self.text[start : self.begin].strip()
        return Symbol(name if written == name else normalised(written.replace(" ", "")), real=True)

    def skip_index(self) -> None:
        if self.is_sign("{"):
            self.jump(self.after_braces())
        elif self.kind not in ("number", "name", "command") or (self.kind == "number" and not self.token.isdigit()):
            raise Unread(self.text)
        self.next()

    def command(self) -> Any:
        name, start = self.token, self.begin
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
        if name == "text" and (function := _FUNCTION_IN_TEXT.match(self.text, start)):
            self.jump(function.end())
            return self.applied(function[1])
        if name in FUNCTIONS or name in OF_SEVERAL:
            return self.applied(name)
        if name in GREEK:
            return self.variable(f"\\{name}", start)
        if name in ACCENTS:
            if self.is_sign("{"):
                self.jump(self.after_braces())
            else:
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
        if name in OF_SEVERAL:
            values = self.several()
            return OF_SEVERAL[name](*values)
        function = FUNCTIONS[name]
        power: Any = None
        if name == "log" and self.is_sign("_"):
            self.next()
            base = self.argument()
            function = lambda x: sympy.log(x, base)  # noqa: E731
        if self.is_sign("^", "**"):
            self.next()
            power = self.exponent()
            if power == -1 and name in INVERSES:
                function, power = INVERSES[name], None
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
        while (self.kind == "name" and self.token not in FUNCTIONS) or (
            self.kind == "command" and (self.token in GREEK or self.token in ("pi", "frac", "sqrt"))
        ):
            value = value * self.factor()
        if self.is_sign("/") and re.match(r"/\s*\d", self.text[self.begin :]):
            self.next()
            value = value / self.factor()
        return value
