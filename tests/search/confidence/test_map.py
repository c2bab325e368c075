"""The map: a mixture of two fits, its file, and the one that ships."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf import solve
from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import PAIRS, ShippedPair
from epf.search.confidence.evidence import Evidence, Solution, evidence_of
from epf.search.confidence.familiarity import Wordings
from epf.search.confidence.features import SIGNS, features, novelty_features
from epf.search.confidence.file import load_map, save_map
from epf.search.confidence.fitted import ConfidenceMap, Fit, Outside
from epf.search.confidence.logistic import Logistic
from epf.search.confidence.shipped import shipped_map
from epf.search.confidence.unfitted import unfitted

PROBLEM = "Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?"
PAIR = ("stories-generator", "stories-reward-model")
FITTED = [pair for pair in PAIRS.values() if pair.confidence.exists()]


def constant(probability: float) -> Logistic:
    return Logistic(math.log(probability / (1 - probability)), {}, {})


def evidence(*scores: float | None, n_rivals: int = 0) -> Evidence:
    solutions = [Solution(0, "12 + 7 = 19.", score, -0.01, 2) for score in scores]
    return evidence_of(PROBLEM, [*solutions, *[Solution(1, "", 0.5, -0.01, 2)] * n_rivals], 0)


def made(outside: float = 0.25) -> ConfidenceMap:
    wordings = Wordings(("tom", "has"), frozenset({"<s> <s> tom"}))
    elsewhere = Outside(wordings, constant(outside), 0.6, Fit(constant(0.2), None))
    return ConfidenceMap("generator", "prm", 100, "by hand", Fit(constant(0.9), constant(0.6)), elsewhere)


def test_the_two_fits_are_mixed_by_the_probability_to_be_outside() -> None:
    assert made()(PROBLEM, evidence(0.5)) == pytest.approx(0.75 * 0.9 + 0.25 * 0.2)
    assert [made(outside).surely_outside(PROBLEM) for outside in (0.25, 0.59, 0.61)] == [False, False, True]
    alone = replace(made(), elsewhere=None)
    assert alone(PROBLEM, evidence(0.5)) == pytest.approx(0.9)
    assert not alone.surely_outside(PROBLEM)


def test_searches_without_scores_have_a_fit_of_their_own_or_none() -> None:
    assert made()(PROBLEM, evidence(None)) == pytest.approx(0.75 * 0.6 + 0.25 * unfitted(evidence(None)))


def test_a_file_keeps_the_map(tmp_path: Path) -> None:
    save_map(made(), tmp_path / "map.json")
    assert load_map(tmp_path / "map.json")(PROBLEM, evidence(0.5)) == pytest.approx(made()(PROBLEM, evidence(0.5)), abs=1e-5)
    save_map(load_map(tmp_path / "map.json"), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "map.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"generator": 3}, "is not a text", id="a name"),
        pytest.param({"scored": {"bias": 0, "weights": {"score": 1}, "means": {}}}, "different names", id="a mean is missing"),
        pytest.param({"scored": {"bias": float("nan"), "weights": {}, "means": {}}}, "not finite", id="NaN"),
        pytest.param({"elsewhere": []}, "TypeError", id="elsewhere"),
    ],
)
def test_other_files_are_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    save_map(made(), path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(InvalidRequest, match=rf"{path} is not a confidence map .*{reason}.*epf calibrate"):
        load_map(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"nowhere.json: No such file"):
        load_map(tmp_path / "nowhere.json")


def test_it_ships_for_its_pair_only() -> None:
    assert shipped_map(*PAIR) is shipped_map(PAIR[0], None) is not None
    assert shipped_map(PAIR[0], "another") is None
    assert shipped_map("another", PAIR[1]) is None


def test_a_map_of_other_models_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="fitted for 'generator' with 'prm', not for 'stories-generator'") as refused:
        solve("What is 1 + 1?", generator="stories", confidence=made())
    assert refused.value.param == "confidence"


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 8), st.integers(0, 8))
def test_higher_scores_never_lower_the_shipped_confidence(a: float, b: float, n_others: int, n_rivals: int) -> None:
    shipped = shipped_map(*PAIR)
    assert shipped is not None
    low, high = sorted((a, b))
    values = [shipped(PROBLEM, evidence(*[score] * (n_others + 1), n_rivals=n_rivals)) for score in (low, high)]
    assert 0 <= values[0] <= values[1] + 1e-9
    assert values[1] <= 1


@pytest.mark.parametrize("pair", FITTED, ids=lambda pair: pair.name)
def test_the_weights_that_ship_have_the_right_signs(pair: ShippedPair) -> None:
    shipped = load_map(pair.confidence)
    assert shipped.elsewhere is not None
    fits = [shipped.fit.scored, shipped.fit.unscored, shipped.elsewhere.fit.scored, shipped.elsewhere.fit.unscored]
    for fit in fits:
        assert fit is not None
        assert all(SIGNS.get(name, 0) * weight >= 0 for name, weight in fit.weights.items())


def test_features_are_finite_at_the_ends() -> None:
    for scores in ((0.0,), (1.0,), (None,)):
        assert all(map(math.isfinite, features(evidence(*scores)).values()))
    wordings = Wordings(("tom",), frozenset())
    assert all(map(math.isfinite, novelty_features(wordings.novelty("")).values()))


def confidences(pair: str, *problems: str) -> list[float]:
    return [solve(problem, generator=pair, seed=seed).confidence for problem in problems for seed in (1, 2)]


@pytest.mark.slow
def test_the_pair_stories_knows_what_it_knows() -> None:
    assert min(confidences("stories", PROBLEM)) > 0.9
    assert max(confidences("stories", "17 * 24 = ?", "What is the capital of France?")) < 0.1
    assert max(confidences("stories", "Combien font 5 plus 7 ?", "Was ist 8 minus 3?")) < 0.5


@pytest.mark.slow
def test_the_pair_plain_knows_what_it_knows() -> None:
    assert min(confidences("plain", "There are 45 birds on a wire. 17 fly away. How many are left?")) > 0.8
    assert min(confidences("plain", "What is 17 * 24?")) > 0.65
    assert max(confidences("plain", "What is the derivative of x^2 at x = 3?")) < 0.6
    assert max(confidences("plain", "Solve x^2 - 5x + 6 = 0.")) < 0.4
