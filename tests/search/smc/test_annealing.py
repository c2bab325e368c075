import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from epf.search.smc.annealing import MAX_TEMPERATURE, SCHEDULES, Schedule, temperature
from epf.search.smc.weights import entropy, ess

PEAKED = np.log([0.85, 0.05, 0.05, 0.05])


def at(schedule: Schedule, log_weights: ArrayLike, progress: float, threshold: float = 0.5, early_phase: float = 0.5) -> float:
    return temperature(schedule, np.asarray(log_weights), progress, threshold=threshold, early_phase=early_phase)


def test_schedules_follow_their_formulas() -> None:
    h = entropy(PEAKED) / math.log(4)
    assert at("ess", PEAKED, 0.2) == pytest.approx(4 / ess(PEAKED) * 0.8)
    assert at("entropy", PEAKED, 0.2) == pytest.approx(1 / (h + (1 - h) * 0.2))
    assert at("base", PEAKED, 0.2) == pytest.approx(1.8)
    assert at("none", PEAKED, 0.2) == 1.0


def test_two_particles_are_normalised_like_any_other_number() -> None:
    lw = np.log([0.99, 0.01])
    h = entropy(lw) / math.log(2)
    assert at("entropy", lw, 0.1, threshold=0.9) == pytest.approx(1 / (h + (1 - h) * 0.1))


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_no_annealing_late_or_with_a_high_ess_or_with_one_particle(schedule: Schedule) -> None:
    assert at(schedule, PEAKED, 0.5) == 1.0
    assert at(schedule, PEAKED, 7.0) == 1.0
    assert at(schedule, [0.0, 0.1, 0.0, -0.1], 0.1) == 1.0
    assert at(schedule, [3.0], 0.1) == 1.0
    assert at(schedule, [3.0, -math.inf, -math.inf], 0.1) == 1.0
    assert at(schedule, [-math.inf] * 3, 0.1) == 1.0


def test_ess_schedule_never_sharpens() -> None:
    assert at("ess", PEAKED, 0.95, early_phase=1.0) == pytest.approx(max(1.0, 4 / ess(PEAKED) * 0.05)) == 1.0


def test_cess_is_the_temperature_closest_to_one_that_keeps_the_fraction() -> None:
    temp = at("cess", PEAKED, 0.1)
    assert temp > 1.0
    assert ess(PEAKED / temp) == pytest.approx(2.0, rel=1e-9)
    assert ess(PEAKED / temp) >= 2.0
    assert ess(PEAKED / (temp * 0.999)) < 2.0


def test_cess_counts_living_particles_only() -> None:
    lw = np.append(PEAKED, [-math.inf] * 4)
    assert ess(lw / at("cess", lw, 0.1)) == pytest.approx(2.0, rel=1e-9)


def test_cess_is_bounded_when_it_must_keep_everything() -> None:
    assert at("cess", PEAKED, 0.1, threshold=1.0) == pytest.approx(MAX_TEMPERATURE)


@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.lists(st.floats(-16.2, 16.2) | st.just(-math.inf), min_size=1, max_size=20),
    st.floats(1e-3, 2),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_any_schedule_gives_a_finite_temperature_that_flattens(
    schedule: Schedule, log_weights: ArrayLike, progress: float, threshold: float, early_phase: float
) -> None:
    lw = np.array(log_weights)
    temp = at(schedule, lw, progress, threshold, early_phase)
    assert 1.0 <= temp <= MAX_TEMPERATURE
    assert ess(lw / temp) >= ess(lw) - 1e-9
