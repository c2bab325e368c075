"""Profiles that ship with the embedded pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from epf.engines.onnx import pairs
from epf.engines.onnx.pairs import PAIRS, ShippedPair
from epf.search import solve
from epf.search.pair import named_pair
from epf.search.profile.file import save_profile
from epf.search.profile.profile import Profile
from epf.search.profile.shipped import shipped_profile
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel


@dataclass(frozen=True, slots=True)
class PairWithProfile(ShippedPair):
    """The pair stories, with a profile elsewhere."""

    file: Path = Path()

    @property
    def profile(self) -> Path:
        return self.file


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    pair = PairWithProfile("stories", file=tmp_path / "profile.json")
    found = Profile(pair.model_name("generator"), pair.model_name("reward_model"), "by hand", {"n_particles": 3})
    save_profile(found, pair.file)
    monkeypatch.setattr(pairs, "PAIRS", {"stories": pair})
    return found


def test_what_ships_is_for_its_own_pair() -> None:
    for pair in PAIRS.values():
        found = shipped_profile(named_pair(pair.name, None))
        assert found is None or found.models == (pair.model_name("generator"), pair.model_name("reward_model"))


def test_it_is_found_for_a_pair_that_is_named_and_for_no_other(profile: Profile) -> None:
    assert shipped_profile(named_pair("stories", None)) == profile
    assert shipped_profile(named_pair(None, None)) is None
    assert shipped_profile(named_pair("stories", "none")) is None
    assert shipped_profile(named_pair("stories", "http://localhost:1")) is None
    assert shipped_profile(named_pair("http://localhost:1", "stories")) is None
    assert shipped_profile(named_pair(ScriptedGenerator(), ScriptedRewardModel())) is None


def test_it_is_the_default_of_settings_and_of_python_and_another_profile_replaces_it(profile: Profile, tmp_path: Path) -> None:
    assert Settings(generator="stories").learned == profile
    other = Profile(*profile.models, "by hand", {})
    save_profile(other, tmp_path / "other.json")
    assert Settings.model_validate({"profile": tmp_path / "other.json"}).learned == other

    def n_particles(**choices: Any) -> int:
        return len(solve("What is 1 + 1?", generator="stories", max_steps=1, seed=1, **choices).particles)

    assert n_particles() == 3
    assert n_particles(n_particles=2) == 2
    assert n_particles(method="pf") == 8
