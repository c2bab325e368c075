"""Exact step labels, and generated mistakes that make solutions wrong."""

import numpy as np

from epf.problem_sets.synthetic.labels import right_characters, step_labels
from epf.problem_sets.synthetic.problem import SyntheticProblem
from epf.problem_sets.synthetic.problems import problem
from epf.training.reward_model.mistakes import mistaken

PROBLEM = SyntheticProblem("...", ("3 * 4 = 12.", "12 - 5 = 7."), 7)
RIGHT = PROBLEM.solution


def test_every_step_of_a_right_solution_is_right() -> None:
    assert step_labels(PROBLEM, RIGHT) == [True, True, True]
    assert right_characters(PROBLEM, RIGHT) == [len(step) for step in RIGHT]


def test_operands_of_a_product_may_swap_but_not_those_of_a_difference() -> None:
    assert step_labels(PROBLEM, ("4 * 3 = 12.", *RIGHT[1:])) == [True, True, True]
    assert step_labels(PROBLEM, (RIGHT[0], "5 - 12 = 7.")) == [True, False]


def test_nothing_is_right_after_the_first_mistake() -> None:
    steps = ("3 * 4 = 13.", *RIGHT[1:])
    assert step_labels(PROBLEM, steps) == [False, False, False]
    assert right_characters(PROBLEM, steps) == [len("3 * 4 = 1"), 0, 0]


def test_an_extra_step_and_an_early_end_are_wrong() -> None:
    assert step_labels(PROBLEM, (*RIGHT, "7 - 0 = 7.")) == [True, True, True, False]
    assert step_labels(PROBLEM, (RIGHT[0], "The answer is \\boxed{12}.")) == [True, False]


def test_mistaken_solutions_are_nearly_always_wrong_and_start_right() -> None:
    rng = np.random.default_rng(0)
    firsts = []
    for _ in range(400):
        drawn = problem(rng, 5, "train")
        labels = step_labels(drawn, mistaken(rng, drawn))
        firsts.append(labels.index(False) if False in labels else None)
    assert sum(first is None for first in firsts) < 20
    assert {first for first in firsts if first is not None} == set(range(6))
