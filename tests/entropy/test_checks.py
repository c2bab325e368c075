import numpy as np
import pytest

from epf.core.errors import InvalidRequest
from epf.entropy.core.checks import distributions, matrix, too_few


@pytest.mark.parametrize(
    ("rows", "param", "message"),
    [
        ([], "p", "is empty"),
        ([[]], "p", "is empty"),
        ([[0.5, 0.5], [1.0]], "p.1", "has 1 number, but row 0 has 2"),
        ([[0.5, 0.5], [0.5, float("nan")]], "p.1.1", "is nan"),
        ([[0.5, float("inf")]], "p.0.1", "is inf"),
        ([[1.0, 0.0], [1.5, -0.5]], "p.1.1", "is -0.5"),
        ([[1.0, 0.0], [0.5, 0.4]], "p.1", "sums to 0.9"),
        ([[0.5, 0.5]] * 4, "p", "has 8 numbers, more than 6"),
    ],
)
def test_rows_that_are_not_distributions_are_named(rows: list[list[float]], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        distributions("p", rows, max_values=6)
    assert refused.value.param == param


def test_probabilities_with_six_digits_are_accepted() -> None:
    thirds = [[0.333333, 0.333333, 0.333333]]
    assert distributions("p", thirds, max_values=3).shape == (1, 3)


def test_arrays_and_lists_give_the_same_matrix() -> None:
    rows = [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_array_equal(matrix("x", np.array(rows), max_values=4), matrix("x", rows, max_values=4))


def test_fewer_than_five_samples_per_value_lead_to_a_warning() -> None:
    assert too_few("answers", 10, 2) == []
    (warning,) = too_few("answers", 9, 2)
    assert "9 samples of 2 distinct values" in warning
