"""Maximum caliber: optimality among other processes, and derivatives by finite differences."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from epf.core.errors import InvalidRequest
from epf.entropy.core.information import FloatArray, kl
from epf.entropy.maxent.caliber import maximum_caliber, tilted
from epf.entropy.maxent.irreversibility import process
from epf.entropy.registry import TOOLS

TOOL = TOOLS["maxent"]

Case = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def normalised(weights: FloatArray) -> FloatArray:
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


@st.composite
def processes(draw: st.DrawFn) -> Case:
    """Draws p, a prior process with an impossible step, the values f of steps, and another process with the same steps."""
    s = draw(st.integers(2, 5))
    positive = st.floats(0.05, 1)
    law = normalised(draw(arrays(float, (s,), elements=positive)))
    prior, other = (draw(arrays(float, (s, s), elements=positive)) for _ in range(2))
    prior[0, 1] = other[0, 1] = 0.0
    f = draw(arrays(float, (s, s), elements=st.integers(-5, 5)))
    assume((np.ptp(np.where(prior > 0, f, f[:, :1]), axis=1) > 0).any())
    return law, normalised(prior), f, normalised(other)


@given(processes())
@pytest.mark.slow
def test_no_other_process_with_the_same_mean_has_a_larger_caliber(case: Case) -> None:
    law, prior, f, other = case
    target = float(law @ (other * f).sum(axis=1))
    found = maximum_caliber(law, prior, f, target, field="drift")
    assert found.mean == pytest.approx(target, abs=1e-8)
    assert (found.transition[prior == 0] == 0).all()
    np.testing.assert_allclose(found.transition.sum(axis=1), 1)
    of_other, of_found = -float(law @ kl(other, prior)), -float(law @ kl(found.transition, prior))
    assert found.caliber == pytest.approx(of_found, abs=1e-9)
    assert found.caliber - of_other == pytest.approx(float(law @ kl(other, found.transition)), abs=1e-7)  # Pythagoras


@given(processes(), st.floats(-2, 2))
def test_slope_and_curvature_of_the_free_energy_are_the_mean_and_the_fluctuation(case: Case, multiplier: float) -> None:
    law, prior, f, _ = case
    up, at, down = (tilted(law, prior, f, multiplier + step) for step in (1e-5, 0.0, -1e-5))
    assert (up.free_energy - down.free_energy) / 2e-5 == pytest.approx(at.mean, abs=1e-6)
    assert (up.mean - down.mean) / 2e-5 == pytest.approx(-at.variance, abs=1e-4)
    assert at.free_energy == pytest.approx(multiplier * at.mean - at.caliber, abs=1e-9)
    still = tilted(law, prior, f, 0.0)
    np.testing.assert_allclose(still.transition, prior, atol=1e-15)
    assert still.free_energy == pytest.approx(0, abs=1e-12)
    assert still.caliber == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("drift", [-0.9, -0.2, 0.0, 0.5])
def test_a_driven_walk_is_the_biased_walk(drift: float) -> None:
    """On a ring with steps in both directions, the probability of a step up is (1 + drift) / 2 in every state."""
    s = 8
    up = np.roll(np.eye(s), 1, axis=1)
    found = maximum_caliber(np.full(s, 1 / s), (up + up.T) / 2, up - up.T, drift, field="drift")
    np.testing.assert_allclose(found.transition, (1 + drift) / 2 * up + (1 - drift) / 2 * up.T, atol=1e-12)
    assert found.multiplier == pytest.approx(-np.arctanh(drift), abs=1e-10)
    assert found.variance == pytest.approx(1 - drift**2)


def test_the_tool_returns_the_process_with_a_drift() -> None:
    chains = [[3, 1, 1, 3, 3, 1, 7], [1, 1, 3, 7]] * 10
    found = TOOL.answer(TOOL.input(chains=chains, drift=0.0, unit="bits")).process
    driven, states = found.driven, np.array([1.0, 3.0, 7.0])
    change = states - states[:, None]
    observed = np.array(found.observed)
    assert driven.before == pytest.approx(observed @ (np.array(found.transition) * change).sum(axis=1))
    assert driven.before > 0
    assert observed @ (np.array(driven.transition) * change).sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert driven.multiplier > 0
    counts = np.array([[20, 20, 10], [20, 10, 10], [0, 0, 0]])
    expected = process(counts.astype(float), 0.5)
    assert driven.caliber == pytest.approx(-observed @ kl(np.array(driven.transition), expected.transition) / np.log(2))
    assert TOOL.answer(TOOL.input(chains=chains)).process.driven is None


@pytest.mark.parametrize(
    "fields",
    [
        {"chains": [["a", "b", "a"]], "drift": 0.1},
        {"chains": [[0, 1, 0, 1]], "drift": 1.5},
        {"chains": [[0, 1, 0, 1]], "drift": 1 / 3},  # each state has only one possible step
        {"features": [[1.0], [2.0]], "multipliers": [1.0], "drift": 0.1},
    ],
)
def test_an_unreachable_drift_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        TOOL.answer(TOOL.input(**fields))
    assert refused.value.param == "drift"


def test_a_state_without_transitions_has_no_steps() -> None:
    found = TOOL.answer(TOOL.input(counts=[[5, 3, 0], [2, 4, 0], [0, 0, 0]], drift=0.05)).process
    assert found.driven.drift == pytest.approx(0.05)
    assert found.driven.transition[2] == [0, 0, 0]
