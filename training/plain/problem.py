"""A problem of the pair ``plain`` with its solution, and the lines of arithmetic that its solutions consist of."""

from dataclasses import dataclass

NOT_ENOUGH = "There is not enough information."
DECIMALS = 4
"""Maximum number of decimals of any number in a solution."""


@dataclass(frozen=True, slots=True)
class PlainProblem:
    """The text of a problem, one operation per line, and the answer; ``None`` if the problem cannot be answered."""

    text: str
    lines: tuple[str, ...]
    answer: str | None

    @property
    def solution(self) -> tuple[str, ...]:
        """All steps, the last one with the boxed answer or the sentence :data:`NOT_ENOUGH`."""
        return (*self.lines, NOT_ENOUGH if self.answer is None else f"The answer is \\boxed{{{self.answer}}}.")


def show(number: float) -> str:
    """Write a number without trailing zeros and without thousands separators.

    Raises:
        ValueError: the number has more than :data:`DECIMALS` decimals.
    """
    rounded = round(number, DECIMALS)
    if abs(rounded - number) > 1e-9 * max(1.0, abs(number)):
        raise ValueError(f"{number!r} has more than {DECIMALS} decimals.")
    return f"{rounded:.{DECIMALS}f}".rstrip("0").rstrip(".")


def compute(a: float, op: str, b: float) -> float:
    """Return ``a op b`` for one of the operations + - * /.

    Raises:
        ZeroDivisionError: a division by zero.
    """
    return a / b if op == "/" else {"+": a + b, "-": a - b, "*": a * b}[op]


def operation_lines(a: float, op: str, b: float) -> list[str]:
    """Write one operation as a line, or as several lines where a product has more than one digit on both sides.

    Raises:
        ValueError: a number has more than :data:`DECIMALS` decimals.
    """
    if op == "*":
        return _product_lines(a, b)
    return [_line(a, op, b)]


def _line(a: float, op: str, b: float) -> str:
    return f"{show(a)} {op} {show(b)} = {show(compute(a, op, b))}."


def _product_lines(a: float, b: float) -> list[str]:
    """Write a product by its partial products, with a running sum.

    Of two long factors, the shorter one is split by place: 17 * 24 is 17 * 20 and 17 * 4. If one factor is a single digit, the
    other is split in two: 347 * 2 is 300 * 2 and 47 * 2.
    """
    if not (float(a).is_integer() and float(b).is_integer() and a > 0 and b > 0):
        return [_line(a, "*", b)]
    one, two = _significant(a), _significant(b)
    if one + two <= 3 or (min(one, two) == 1 and (_is_one(a) or _is_one(b))):
        return [_line(a, "*", b)]
    split_second = one == 1 or 1 < two <= one
    kept, split = (a, b) if split_second else (b, a)
    lines, total = [], 0.0
    parts = _places(int(split))
    for part in [parts[0], sum(parts[1:])] if min(one, two) == 1 else parts:
        lines.append(_line(kept, "*", part) if split_second else _line(part, "*", kept))
        if total:
            lines.append(_line(total, "+", kept * part))
        total += kept * part
    return lines


def _significant(number: float) -> int:
    """Return the number of digits without the trailing zeros."""
    return len(str(int(number)).rstrip("0"))


def _is_one(number: float) -> bool:
    return str(int(number)).rstrip("0") == "1"


def _places(number: int) -> list[int]:
    """Return the parts of a number by place without zeros: 204 is 200 and 4."""
    digits = str(number)
    return [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]
