"""Labels and mistakes of the pair plain: other right ways count as right, and a solution is wrong from its mistake on."""

import re

import numpy as np
import pytest

from epf.training.plain.kinds.draw import SHARES, draw_kind
from epf.training.plain.problem import NOT_ENOUGH, PlainProblem
from epf.training.plain.reward_model.labels import right_characters, right_solutions
from epf.training.plain.reward_model.mistakes import mistaken, slip

PROBLEM = PlainProblem("Al has 9 pens, loses 2 and then 3.", ("9 - 2 = 7.", "7 - 3 = 4."), "4")
OTHER_WAY = ("2 + 3 = 5.", "9 - 5 = 4.", "The answer is \\boxed{4}.")
WRONG = ("2 + 3 = 5.", "9 - 5 = 3.", "The answer is \\boxed{3}.")


def flags(right: list[tuple[str, ...]], steps: tuple[str, ...]) -> list[bool]:
    return [n == len(step) for n, step in zip(right_characters(right, steps), steps, strict=True)]


def test_a_sample_with_the_right_answer_shows_another_right_way() -> None:
    right = right_solutions(PROBLEM, [OTHER_WAY, WRONG])
    assert flags(right, PROBLEM.solution) == [True, True, True]
    assert flags(right, OTHER_WAY) == [True, True, True]
    assert right_characters(right, WRONG) == [len(WRONG[0]), len("9 - 5 = "), 0]
    assert flags(right_solutions(PROBLEM, []), OTHER_WAY) == [False, False, False]


def test_the_operands_of_sums_and_products_may_swap() -> None:
    right = right_solutions(PROBLEM, [OTHER_WAY])
    assert flags(right, ("3 + 2 = 5.", *OTHER_WAY[1:])) == [True, True, True]
    assert flags(right, ("2 - 9 = 7.",)) == [False]


def test_steps_after_the_last_one_are_wrong() -> None:
    assert flags([PROBLEM.solution], (*PROBLEM.solution, "1 + 1 = 2.")) == [True, True, True, False]


@pytest.mark.parametrize("kind", SHARES)
def test_a_mistaken_solution_has_a_mistake_and_well_formed_steps(kind: str) -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        problem = draw_kind(rng, kind)
        steps = mistaken(rng, problem)
        right = flags([problem.solution], steps)
        assert not all(right), (problem, steps)
        assert right == sorted(right, reverse=True)
        seen.add(right.index(False))
        for step in steps[:-1]:
            assert re.fullmatch(r"\d+(\.\d+)? [-+*/] \d+(\.\d+)? = \d+(\.\d+)?\.", step), step
        assert steps[-1] == NOT_ENOUGH or re.fullmatch(r"The answer is \\boxed\{\d+(\.\d+)?\}\.", steps[-1])
    assert seen >= ({0} if kind == "unanswerable" else {0, 1})


def test_a_slip_is_another_number() -> None:
    rng = np.random.default_rng(1)
    for number in ("7", "0", "408", "0.25", "11"):
        assert all(slip(rng, number) != number for _ in range(50))
