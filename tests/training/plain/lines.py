"""Checks a solution the long way: every line is right, and every number comes from the text, an earlier line or a word."""

import re
from fractions import Fraction

LINE = re.compile(r"(\d+(?:\.\d+)?) ([-+*/]) (\d+(?:\.\d+)?) = (\d+(?:\.\d+)?)\.")


def check_lines(lines: tuple[str, ...]) -> Fraction:
    """Return the last result; an assertion fails if a line is no operation or is wrong."""
    result = Fraction(0)
    for line in lines:
        match = LINE.fullmatch(line)
        assert match is not None, line
        a, b, result = Fraction(match[1]), Fraction(match[3]), Fraction(match[4])
        right = {"+": a + b, "-": a - b, "*": a * b}[match[2]] if match[2] != "/" else a / b
        assert result == right, line
    return result


def numbers_of(text: str) -> set[Fraction]:
    """Return the numbers in digits of a text."""
    return {Fraction(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text.replace(", ", " "))}
