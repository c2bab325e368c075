"""The numbers of a solution compared with those of its problem, by hand."""

import pytest

from epf.search.confidence.grounding import MAX_CHARS, Grounding, grounding

BIRDS = "There are 45 birds on a wire. 17 fly away. How many are left?"


@pytest.mark.parametrize(
    ("problem", "solution", "expected"),
    [
        pytest.param(BIRDS, "45 - 17 = 28.\n\nThe answer is \\boxed{28}.", Grounding(2, 0, 0, 0), id="grounded"),
        pytest.param(BIRDS, "45 - 17 = 38.", Grounding(2, 0, 0, 1), id="false"),
        pytest.param(BIRDS, "The answer is \\boxed{28}.", Grounding(2, 2, 0, 0), id="no equation"),
        pytest.param(BIRDS, "45 - 3 = 42.", Grounding(2, 1, 1, 0), id="a number from nowhere"),
        pytest.param("23 people. 9 get off, 5 get on.", "23 - 9 = 14.", Grounding(3, 1, 0, 0), id="a number is overlooked"),
        pytest.param("Two trains have 12 cars each.", "12 * 12 = 144.", Grounding(2, 1, 1, 0), id="a number is taken twice"),
        pytest.param("8 spiders have 8 legs each.", "8 * 8 = 64.", Grounding(2, 0, 0, 0), id="a number that is there twice"),
        pytest.param(
            "35 pages, then twice as many.", "35 * 2 = 70.\n35 + 70 = 105.", Grounding(2, 0, 0, 0), id="used again later"
        ),
        pytest.param("Six children have 2 kites.", "6 * 2 = 12", Grounding(2, 0, 0, 0), id="number words"),
        pytest.param("It costs $1,250.50, for 2 people.", "$1,250.50 \\times 2 = 2,501", Grounding(2, 0, 0, 0), id="money"),
        pytest.param("10 for 3", "10 ÷ 3 = 3.33", Grounding(2, 0, 0, 0), id="a rounded result"),
        pytest.param("10 for 3", "10 / 3 = 3.34", Grounding(2, 0, 0, 1), id="rounded wrongly"),
        pytest.param("27 for 2", "27 / 2 = 13", Grounding(2, 0, 0, 1), id="a half is not rounded away"),
        pytest.param("7 for 0", "7 / 0 = 7", Grounding(2, 0, 0, 1), id="division by zero"),
        pytest.param("1 2 3 4 2", "1 + 2 * 3 - 4 / 2 = 5", Grounding(5, 0, 0, 0), id="precedence"),
        pytest.param("", "x + 3 + 4 = 5 + y, (3 + 4) * 2 = 14, 2x + 1 = 4", Grounding(0, 0, 0, 0), id="parts of expressions"),
        pytest.param("", "99999999999999999999 + 1 = 2", Grounding(0, 0, 0, 0), id="too long a number"),
    ],
)
def test_equations_are_compared_with_the_problem(problem: str, solution: str, expected: Grounding) -> None:
    assert grounding(problem, solution) == expected


def test_of_long_texts_the_start_of_the_problem_and_the_end_of_the_solution_are_read() -> None:
    filler = "and so on " * MAX_CHARS
    assert grounding(f"3 and 4 {filler} 5", f"1 + 1 = 3 {filler} 3 + 4 = 7") == Grounding(2, 0, 0, 0)
