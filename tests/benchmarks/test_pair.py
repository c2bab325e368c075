"""The measures of the pair, on examples small enough to count by hand."""

import pytest

from benchmarks.pair import answer_is_right, auc_within, ece, strength
from epf.problem_sets.synthetic.problem import SyntheticProblem

PROBLEM = SyntheticProblem("...", ("3 + 4 = 7.",), 7)
RIGHT = PROBLEM.solution
WRONG = ("3 + 4 = 8.", "The answer is \\boxed{8}.")
LATE = ("3 + 4 = 7.", "The answer is \\boxed{3}.")


def test_auc_compares_different_prefixes_of_one_depth_only():
    solutions = [[RIGHT, RIGHT, WRONG, LATE]]
    scores = [[[0.9, 0.8], [0.9, 0.8], [0.9, 0.1], [0.9, 0.85]]]
    # Depth 1: one right prefix against one wrong one, a tie. Depth 2: the right one beats one of two wrong ones.
    assert auc_within([PROBLEM], solutions, scores) == pytest.approx((0.5 + 1) / 3)


def test_strength_counts_each_way_to_use_the_samples():
    figures = strength([PROBLEM], [[RIGHT, WRONG, WRONG, LATE]], [[[0.9, 0.8], [0.5, 0.2], [0.5, 0.2], [0.9, 0.3]]])
    assert figures == {"one_sample": 25, "any_of_n": 100, "majority_of_n": 0, "best_of_n_by_prm": 100}


def test_a_number_that_is_not_boxed_at_the_end_is_no_answer():
    assert answer_is_right(PROBLEM, RIGHT)
    assert not answer_is_right(PROBLEM, RIGHT[:1])
    assert not answer_is_right(PROBLEM, ())


def test_ece_of_sure_and_right_is_zero_and_of_sure_and_wrong_is_one_hundred():
    assert ece([PROBLEM], [[RIGHT]], [[[1.0, 1.0]]]) == pytest.approx(0)
    assert ece([PROBLEM], [[WRONG]], [[[1.0, 1.0]]]) == pytest.approx(100)
