"""The operations of a solution, with every operand traced to a number of the text, an earlier result or a word."""

import ast
from dataclasses import dataclass
from itertools import pairwise

from epf.training.plain.problem import compute

_OPERATIONS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass(frozen=True, slots=True)
class Given:
    """The number in slot ``index`` of the text."""

    index: int


@dataclass(frozen=True, slots=True)
class Result:
    """The result of operation ``index``."""

    index: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """A number that stays what it is: a dozen, the days of a week, the 100 of a percentage."""

    value: float


Operand = Given | Result | Fixed


@dataclass(frozen=True, slots=True)
class Operation:
    """``left op right`` with ``op`` one of + - * /."""

    left: Operand
    op: str
    right: Operand


def run(program: tuple[Operation, ...], givens: list[float]) -> list[float]:
    """Return the results of all operations for the numbers in the slots of the text.

    Raises:
        ZeroDivisionError: an operation divides by zero.
    """
    results: list[float] = []
    for operation in program:
        a, b = (value_of(operand, givens, results) for operand in (operation.left, operation.right))
        results.append(round(compute(a, operation.op, b), 9))
    return results


def value_of(operand: Operand, givens: list[float], results: list[float]) -> float:
    """Return the number that an operand stands for."""
    if isinstance(operand, Given):
        return givens[operand.index]
    return results[operand.index] if isinstance(operand, Result) else operand.value


def operations_of(expression: str) -> list[tuple[object, str, object]]:
    """Split an arithmetic expression into binary operations, innermost first.

    An operand is a ``float``, or the ``int`` index of an earlier operation of the same expression.

    Raises:
        ValueError: the text is not an expression of numbers and + - * /.
    """
    found: list[tuple[object, str, object]] = []

    def visit(node: ast.expr) -> object:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            left, right = visit(node.left), visit(node.right)
            found.append((left, _OPERATIONS[type(node.op)], right))
            return len(found) - 1
        raise ValueError(f"{expression!r} is not an expression of numbers and + - * /.")

    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, MemoryError) as error:
        raise ValueError(f"{expression!r} is not an expression of numbers and + - * /.") from error
    visit(tree)
    return found


def percent_last(program: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Write a percentage as a product and a division by 100, where a program divides first: 25 / 100 and 0.25 * 80.

    Products of whole numbers have partial products, and the pair learns one way to compute a percentage.
    """
    operations = list(program)
    for i, (first, second) in enumerate(pairwise(program)):
        is_share = (first.op, first.right) in (("/", Fixed(100)), ("*", Fixed(0.01)))
        others = [side for side in (second.left, second.right) if side != Result(i)]
        reads = sum(Result(i) in (operation.left, operation.right) for operation in program)
        if is_share and second.op == "*" and len(others) == 1 and reads == 1:
            operations[i] = Operation(first.left, "*", others[0])
            operations[i + 1] = Operation(Result(i), "/", Fixed(100))
    return tuple(operations)
