"""A confidence map fitted on the rows of a run."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from epf.core.errors import InvalidRequest
from epf.evaluation.calibrate import MIN_PROBLEMS, calibrate
from epf.evaluation.rows import ROW, Row
from tests.evaluation.made import EVIDENCE, row

N = 400


def overconfident_rows(n: int = N) -> list[Row]:
    """One search per problem: the reward model is sure of everything, and right where the generator is sure as well."""
    rng = np.random.default_rng(3)
    log_probs = -rng.exponential(0.3, n)
    right = rng.random(n) < np.exp(log_probs)
    evidence = [replace(EVIDENCE, log_prob=float(value)) for value in log_probs]
    return [row(str(i), correct=bool(right[i]), evidence=evidence[i]) for i in range(n)]


def test_the_map_is_calibrated_on_problems_that_were_held_out() -> None:
    found = calibrate(overconfident_rows(), "by hand")
    assert (found.map.generator, found.map.reward_model) == ("generator", "prm")
    assert (found.n_searches, found.n_problems) == (N, N)
    assert found.ece_unfitted > 0.1
    assert found.ece_held_out < 0.06
    values = [found.map("", replace(EVIDENCE, log_prob=value)) for value in (-1.0, -0.1)]
    assert values[0] < 0.6 < 0.8 < values[1]


def test_a_row_of_a_file_has_the_same_evidence() -> None:
    one = overconfident_rows(1)[0]
    assert ROW.validate_json(ROW.dump_json(one)) == one


def test_searches_without_an_answer_are_left_out() -> None:
    rows = overconfident_rows()
    silent = [replace(one, answer=None, correct=False, evidence=None, models=None) for one in rows[:100]]
    assert calibrate([*silent, *rows[100:]], "by hand").n_searches == N - 100


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param([row("1", evidence=None)], "made by a version that did not record", id="old rows"),
        pytest.param([], "0 pairs of models", id="no rows"),
        pytest.param([row("1"), replace(row("2"), models=("other", "prm"))], "2 pairs of models", id="two pairs"),
        pytest.param([row(str(i)) for i in range(MIN_PROBLEMS - 1)], "Only 49 problems have an answer, at least 50", id="few"),
        pytest.param([row(str(i)) for i in range(MIN_PROBLEMS)], "All answers are right, or all are wrong", id="all right"),
    ],
)
def test_other_runs_are_refused(rows: Sequence[Row], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        calibrate(rows, "by hand")
