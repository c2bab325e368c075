import math

import pytest

from epf.search.smc.certainty import fewest_votes, probability_of_lead


@pytest.mark.parametrize(
    ("lead", "runner_up"), [(0, 0), (1, 0), (4, 0), (3, 2), (2, 3), (7, 5), (40, 31), (256, 0), (130, 126)]
)
def test_whole_votes_match_the_binomial_sum(lead: int, runner_up: int) -> None:
    n = lead + runner_up + 1  # P(Beta(a, b) > 1/2) is the chance of fewer than a heads in a + b - 1 tosses
    exact = sum(math.comb(n, k) for k in range(lead + 1)) / 2**n
    assert probability_of_lead(lead, runner_up) == pytest.approx(exact, rel=1e-6)


def test_fractions_of_votes_lie_between_whole_ones() -> None:
    assert probability_of_lead(3, 1) < probability_of_lead(3.5, 1) < probability_of_lead(4, 1)
    assert probability_of_lead(3.3, 1.2) + probability_of_lead(1.2, 3.3) == pytest.approx(1.0)


@pytest.mark.parametrize(("certainty", "votes"), [(0.0, 1), (0.75, 1), (0.76, 2), (0.9, 3), (0.95, 4), (0.99, 6), (1.0, 100)])
def test_fewest_votes_are_the_first_that_suffice(certainty: float, votes: int) -> None:
    assert fewest_votes(certainty, 100) == votes
    if 1 < votes < 100:
        assert probability_of_lead(votes - 1, 0) < certainty <= probability_of_lead(votes, 0)
    assert fewest_votes(certainty, 2) <= 2
