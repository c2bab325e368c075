"""The measures of the embedded pair, on examples that can be counted by hand."""

import pytest

from benchmarks.pair import answer_is_right, auc_within, ece, strength
from epf.problem_sets.synthetic.problem import SyntheticProblem

PROBLEM = SyntheticProblem("...", ("3 + 4 = 7.",), 7)
RIGHT = PROBLEM.solution
WRONG = ("3 + 4 = 8.", "The answer is \\boxed{8}.")
LATE = ("3 + 4 = 7.", "The answer is \\boxed{3}.")


def test_auc_compares_only_distinct_prefixes_of_one_depth() -> None:
    solutions = [[RIGHT, RIGHT, WRONG, LATE]]
    scores = [[[0.9, 0.8], [0.9, 0.8], [0.9, 0.1], [0.9, 0.85]]]
    # Depth 1: one right prefix against one wrong one, a tie. Depth 2: the right prefix beats one of two wrong ones.
    assert auc_within([PROBLEM], solutions, scores) == pytest.approx((0.5 + 1) / 3)


def test_strength_reports_each_way_to_use_the_samples() -> None:
    figures = strength([PROBLEM], [[RIGHT, WRONG, WRONG, LATE]], [[[0.9, 0.8], [0.5, 0.2], [0.5, 0.2], [0.9, 0.3]]])
    assert figures == {"one_sample": 25, "any_of_n": 100, "majority_of_n": 0, "best_of_n_by_prm": 100}


def test_only_a_number_boxed_at_the_end_is_an_answer() -> None:
    assert answer_is_right(PROBLEM, RIGHT)
    assert not answer_is_right(PROBLEM, RIGHT[:1])
    assert not answer_is_right(PROBLEM, ())


def test_ece_is_zero_if_certain_and_right_and_one_hundred_if_certain_and_wrong() -> None:
    assert ece([PROBLEM], [[RIGHT]], [[[1.0, 1.0]]]) == pytest.approx(0)
    assert ece([PROBLEM], [[WRONG]], [[[1.0, 1.0]]]) == pytest.approx(100)
