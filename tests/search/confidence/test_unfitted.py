"""The unfitted confidence: exact small cases, and what must hold for any evidence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.search.confidence.evidence import Evidence, Solution, evidence_of
from epf.search.confidence.unfitted import unfitted

Given = tuple[int | None, float | None]
"""Answer and score of a solution."""


def evidence(*solutions: Given, chosen: int = 0) -> Evidence:
    return evidence_of("", [Solution(answer, "", score, None, 1) for answer, score in solutions], chosen)


@pytest.mark.parametrize(
    ("solutions", "expected"),
    [
        pytest.param([(0, 0.9)], 0.9, id="one solution has its score"),
        pytest.param([(0, 0.9), (0, 0.9)], 0.9, id="another one that agrees does not raise it"),
        pytest.param([(0, 0.9), (1, 0.9)], 0.45, id="one that differs halves it"),
        pytest.param([(0, 0.8), (1, 0.4), (0, 0.4)], 0.8 * 1.2 / 1.6, id="votes count by score"),
        pytest.param([(0, 0.9), (None, 0.2)], 0.9 * 0.9 / 1.9, id="one without an answer counts in full against it"),
        pytest.param([(0, 0.99), *[(None, 0.9)] * 7], 0.99 * 0.99 / 7.99, id="one of eight answered"),
        pytest.param([(0, 0.002)] * 8, 0.002, id="all agree on what the reward model considers wrong"),
        pytest.param([(0, 0.0)] * 8, 0.0, id="all scores are zero"),
        pytest.param([(0, None)], 1 / 2, id="one solution without a score"),
        pytest.param([(0, None)] * 8, 8 / 9, id="eight that agree"),
        pytest.param([(0, None), (0, None), (1, None), (None, None)], 2 / 5, id="two of four"),
    ],
)
def test_small_cases(solutions: list[Given], expected: float) -> None:
    assert unfitted(evidence(*solutions)) == pytest.approx(expected)


scores = st.floats(0, 1)
others = st.lists(st.tuples(st.sampled_from([None, 0, 1, 2]), scores), max_size=12)


@given(scores, scores, others)
def test_higher_scores_of_supporters_never_lower_it(a: float, b: float, rest: list[tuple[int | None, float]]) -> None:
    low, high = sorted((a, b))
    values = [unfitted(evidence((0, score), *rest)) for score in (low, high)]
    assert 0 <= values[0] <= values[1] + 1e-12
    assert values[1] <= 1
    assert all(map(math.isfinite, values))


@given(scores, others)
def test_it_is_not_above_the_best_score(score: float, rest: list[tuple[int | None, float]]) -> None:
    found = evidence((0, score), *rest)
    assert found.score is not None
    assert unfitted(found) <= found.score + 1e-12


def test_the_best_supporter_gives_score_and_text() -> None:
    solutions = [
        Solution(0, "1 + 1 = 3", 0.2, -0.5, 4),
        Solution(0, "1 + 1 = 2", 0.7, -0.1, 2),
        Solution(1, "1 - 1 = 0", 0.6, -0.2, 3),
        Solution(None, "", 0.99, -0.3, 1),
    ]
    found = evidence_of("1 and 1", solutions, 0)
    assert found == Evidence(4, 3, 2, 0.7, 0.6, 0.2 + 0.7, 0.2 + 0.7 + 0.6, -0.1, 2, 2, 0, 0, 0)
    assert evidence_of("1 and 1", solutions[:1], 0).n_false == 1
