"""Fitted maps compared with scipy's isotonic regression and a known truth, and used in a reward model."""

import asyncio
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special

from epf.core.errors import InvalidRequest, RewardModelError
from epf.core.reward_model import RewardModel, Score
from epf.reward_models.calibration import CalibratedRewardModel, Calibration, expected_calibration_error, fit, main, reliability
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from tests.contract.reward_model import RewardModelContract

Floats = NDArray[np.float64]


def over_confident(n: int, seed: int) -> tuple[Floats, Floats]:
    """Scores whose true probability is ``sigmoid(0.5 * logit - 1)``, and labels drawn from it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(1, 2, n)
    return special.expit(logits), (rng.random(n) < special.expit(0.5 * logits - 1)).astype(np.float64)


def test_platt_finds_the_truth() -> None:
    calibration = fit(*over_confident(50_000, 0), model="m")
    assert calibration.slope == pytest.approx(0.5, abs=0.03)
    assert calibration.bias == pytest.approx(-1, abs=0.03)


def test_platt_is_the_optimum() -> None:
    scores, labels = over_confident(300, 1)
    x = special.logit(scores)

    def loss(w: Floats) -> float:
        return float(np.mean(np.logaddexp(0, w[0] * x + w[1]) - labels * (w[0] * x + w[1])))

    best = optimize.minimize(loss, [1.0, 0.0], tol=1e-12)
    calibration = fit(scores, labels, model="m")
    assert (calibration.slope, calibration.bias) == pytest.approx(best.x, abs=1e-4)


def test_isotonic_by_hand() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, 0.4, 0.6, 0.9]
    calibration = fit(scores, [0, 1, 0, 1, 0, 1, 1], model="m", method="isotonic")
    # 0.2 to 0.4 violate the order and form one block of two right steps in four; 0.6 and 0.9 are both right.
    assert calibration.scores == (0.1, 0.2, 0.4, 0.6, 0.9)
    assert calibration.shares == (0.0, 0.5, 0.5, 1.0, 1.0)
    asked = [0.0, 0.1, 0.15, 0.2, 0.25, 0.4, 0.5, 0.6, 1.0]
    assert [calibration(p) for p in asked] == pytest.approx([0, 0, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1], abs=1e-6)


@pytest.mark.parametrize("decimals", [1, 2, 9])
@pytest.mark.parametrize("n", [30, 2000])
def test_isotonic_is_scipy_s(decimals: int, n: int) -> None:
    scores, labels = over_confident(n, 2)
    scores = np.round(scores, decimals)  # with few decimals there are many ties
    values, place = np.unique(scores, return_inverse=True)
    weights = np.bincount(place)
    expected = optimize.isotonic_regression(np.bincount(place, labels) / weights, weights=weights)
    calibration = fit(scores, labels, model="m", method="isotonic")
    assert [calibration(value) for value in values] == pytest.approx(expected.x, abs=2e-7)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_isotonic_is_calibrated_on_the_steps_that_it_was_fitted_on(drawn: list[tuple[float, bool]]) -> None:
    scores, labels = np.array([*drawn, (0.3, True), (0.7, False)]).T
    calibration = fit(scores, labels, model="m", method="isotonic")
    mapped = np.array([calibration(score) for score in scores])
    for level in np.unique(mapped):
        assert labels[mapped == level].mean() == pytest.approx(level, abs=2e-7)
    assert expected_calibration_error(mapped, labels) < 1e-6


def test_scores_that_are_almost_the_same_keep_their_order() -> None:
    calibration = fit([0.0, 1e-310, 1.0], [0, 1, 1], model="m", method="isotonic")
    assert [calibration(p) for p in (0.0, 5e-311, 1e-310)] == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_a_map_of_an_earlier_version_is_loaded(tmp_path: Path) -> None:
    """Its corners were the mean scores of the blocks."""
    text = '{"model": "m", "method": "isotonic", "n": 9, "slope": 1.0, "bias": 0.0, "scores": [0.2, 0.8], "shares": [0.1, 0.9]}'
    (tmp_path / "c.json").write_text(text)
    assert [Calibration.load(tmp_path / "c.json")(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.1, 0.5, 0.9])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_held_out_error_falls(method: str) -> None:
    calibration = fit(*over_confident(5000, 3), model="m", method=method)  # type: ignore[arg-type]
    scores, labels = over_confident(5000, 4)
    mapped = [calibration(score) for score in scores]
    assert expected_calibration_error(scores, labels) > 0.2
    assert expected_calibration_error(mapped, labels) < 0.04


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@given(data=st.data())
def test_a_map_keeps_the_order_and_the_range(method: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 30))
    scores = data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    labels = [True, False, *data.draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))]
    calibration = fit(scores, labels, model="m", method=method)  # type: ignore[arg-type]
    asked = sorted(data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=5)))
    mapped = [calibration(p) for p in asked]
    assert all(0 < p < 1 for p in mapped)
    if method == "isotonic" or calibration.slope >= 0:
        assert mapped == sorted(mapped)


def test_separable_labels_converge() -> None:
    calibration = fit([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], model="m")
    assert math.isfinite(calibration.slope)
    assert calibration(0.15) < 0.01
    assert calibration(0.85) > 0.99


@pytest.mark.parametrize(
    ("scores", "labels"),
    [([], []), ([0.5], [1]), ([0.5, 0.6], [1, 1]), ([0.5, 1.5], [0, 1]), ([0.5, math.nan], [0, 1]), ([0.5, 0.6], [0, 2])],
)
def test_invalid_samples_are_rejected(scores: list[float], labels: list[float]) -> None:
    with pytest.raises(ValueError, match=r"scores|labels"):
        fit(scores, labels, model="m")


def test_reliability_by_hand() -> None:
    rows = reliability([0.05, 0.15, 0.15, 1.0], [0, 1, 0, 1])
    assert rows.tolist() == [[0.05, 0.0, 0.25], [0.15, 0.5, 0.5], [1.0, 1.0, 0.25]]
    assert expected_calibration_error([0.05, 0.15, 0.15, 1.0], [0, 1, 0, 1]) == pytest.approx(0.05 / 4 + 0.35 / 2)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_saved_map_is_loaded_unchanged(method: str, tmp_path: Path) -> None:
    calibration = fit(*over_confident(100, 5), model="m", method=method)  # type: ignore[arg-type]
    calibration.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == calibration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"model": "m", "method": "other", "n": 1, "scores": [], "shares": []}',
        '{"model": "m", "method": "platt", "n": 1, "slope": NaN, "scores": [], "shares": []}',
        '{"model": "m", "method": "isotonic", "n": 1, "scores": [], "shares": []}',
        '{"model": "m", "method": "isotonic", "n": 1, "scores": [0.1, 0.2], "shares": [0.5]}',
    ],
)
def test_an_invalid_file_is_rejected(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match="not a calibration"):
        Calibration.load(tmp_path / "c.json")


def test_the_command_fits_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    scores, labels = over_confident(400, 6)
    rows = [json.dumps({"score": s, "correct": bool(y)}) for s, y in zip(scores.tolist(), labels.tolist(), strict=True)]
    (tmp_path / "samples.jsonl").write_text("\n".join(rows))
    out = tmp_path / "c.json"
    monkeypatch.setattr("sys.argv", ["calibration", str(tmp_path / "samples.jsonl"), "--model", "m", "--out", str(out)])
    main()
    assert Calibration.load(out) == fit(scores, labels, model="m")
    assert "400 steps" in capsys.readouterr().out


class Constant:
    """Always returns the same score."""

    name = "m"

    def __init__(self, probability: float) -> None:
        self.probability = probability
        self.unready: Exception | None = None
        self.closed = False

    async def score(self, problem: str, steps: object) -> Score:
        return Score(self.probability, 3)

    async def ready(self) -> None:
        if self.unready is not None:
            raise self.unready

    async def aclose(self) -> None:
        self.closed = True


PLATT = Calibration("m", "platt", 1, slope=0.5, bias=-1.0)


def test_a_calibrated_model_maps_and_closes() -> None:
    inner = Constant(0.8)
    model = CalibratedRewardModel(inner, PLATT)
    assert asyncio.run(model.score("p", ["s"])) == Score(PLATT(0.8), 3)
    asyncio.run(model.ready())
    inner.unready = RewardModelError("broken")
    with pytest.raises(RewardModelError, match="broken"):
        asyncio.run(model.ready())
    asyncio.run(model.aclose())
    assert inner.closed


@pytest.mark.parametrize("probability", [math.nan, -0.1, 1.1])
def test_calibration_does_not_hide_invalid_scores(probability: float) -> None:
    with pytest.raises(RewardModelError):
        asyncio.run(CalibratedRewardModel(Constant(probability), PLATT).score("p", ["s"]))


class TestContract(RewardModelContract):
    def open(self) -> RewardModel:
        inner = load_reward_model()
        return CalibratedRewardModel(inner, Calibration(inner.name, "platt", 1, slope=0.7, bias=-1.0))


def test_a_calibration_of_another_model_is_rejected(tmp_path: Path) -> None:
    PLATT.save(tmp_path / "c.json")
    with pytest.raises(InvalidRequest, match="'m'"):
        load_reward_model(RewardModelOptions(calibration=tmp_path / "c.json"))
