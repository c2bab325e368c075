"""Lines of arithmetic: right, short, and with partial products where a product is long."""

import numpy as np
import pytest

from epf.training.plain.problem import NOT_ENOUGH, PlainProblem, operation_lines, show
from tests.training.plain.lines import check_lines


@pytest.mark.parametrize(
    ("a", "op", "b", "lines"),
    [
        (45, "-", 17, ["45 - 17 = 28."]),
        (6, "*", 7, ["6 * 7 = 42."]),
        (60, "*", 70, ["60 * 70 = 4200."]),
        (53, "*", 7, ["53 * 7 = 371."]),
        (17, "*", 24, ["17 * 20 = 340.", "17 * 4 = 68.", "340 + 68 = 408."]),
        (347, "*", 2, ["300 * 2 = 600.", "47 * 2 = 94.", "600 + 94 = 694."]),
        (2, "*", 347, ["2 * 300 = 600.", "2 * 47 = 94.", "600 + 94 = 694."]),
        (100, "*", 347, ["100 * 347 = 34700."]),
        (4.5, "+", 2.25, ["4.5 + 2.25 = 6.75."]),
        (3, "/", 8, ["3 / 8 = 0.375."]),
    ],
)
def test_an_operation_is_written_as_its_lines(a: float, op: str, b: float, lines: list[str]) -> None:
    assert operation_lines(a, op, b) == lines


def test_partial_products_add_up() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        a, b = (int(rng.integers(1, 10 ** int(rng.integers(1, 6)))) for _ in range(2))
        assert check_lines(tuple(operation_lines(a, "*", b))) == a * b, (a, b)


def test_a_number_with_endless_decimals_is_refused() -> None:
    assert show(0.125) == "0.125"
    assert show(1200) == "1200"
    with pytest.raises(ValueError, match="more than 4 decimals"):
        operation_lines(1, "/", 3)


def test_a_solution_ends_with_its_box_or_says_that_information_is_missing() -> None:
    assert PlainProblem("?", ("1 + 1 = 2.",), "2").solution == ("1 + 1 = 2.", "The answer is \\boxed{2}.")
    assert PlainProblem("?", (), None).solution == (NOT_ENOUGH,)
