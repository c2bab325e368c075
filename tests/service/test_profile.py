"""The profile of the settings: options of epf in every search, and its confidence map."""

import asyncio
import math
from pathlib import Path
from typing import Any

import httpx
import pytest

from epf.core.errors import InvalidRequest
from epf.search.confidence.file import save_map
from epf.search.confidence.fitted import ConfidenceMap, Fit
from epf.search.confidence.logistic import Logistic
from epf.search.profile.file import save_profile
from epf.search.profile.profile import Profile
from epf.service.app import create_app
from epf.service.settings import SearchDefaults, Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"
MODELS = (ScriptedGenerator().name, ScriptedRewardModel().name)


def confidence(share: float) -> ConfidenceMap:
    return ConfidenceMap(*MODELS, 1, "by hand", Fit(Logistic(math.log(share / (1 - share)), {}, {}), None))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    profile = Profile(*MODELS, "by hand", {"n_particles": 3, "slopes": [0.5]}, (), confidence(0.75))
    save_profile(profile, tmp_path / profile.file_name)
    return tmp_path / profile.file_name


def request(settings: Settings, method: str, url: str, **body: Any) -> Any:
    async def send() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), settings)) as client:
            return await client.request(method, url, json=body or None)

    return asyncio.run(send()).json()


def test_searches_by_epf_take_its_options_and_its_confidence(path: Path) -> None:
    settings = Settings.model_validate({"profile": path})
    solved = request(settings, "POST", "/solve", problem=PROBLEM)
    assert solved["confidence"] == pytest.approx(0.75, abs=1e-5)
    methods = {one["name"]: one["defaults"] for one in request(settings, "GET", "/methods")["methods"]}
    assert (methods["epf"]["n_particles"], methods["epf"]["slopes"]) == (3, [0.5])
    assert (methods["pf_once"]["n_particles"], methods["pf_once"]["slopes"]) == (8, [])


def test_other_settings_win_over_it(path: Path, tmp_path: Path) -> None:
    save_map(confidence(0.25), tmp_path / "map.json")
    settings = Settings.model_validate(
        {"profile": path, "confidence": tmp_path / "map.json", "search": SearchDefaults(n_particles=2)}
    )
    assert request(settings, "POST", "/solve", problem=PROBLEM)["confidence"] == pytest.approx(0.25, abs=1e-5)
    defaults = {one["name"]: one["defaults"] for one in request(settings, "GET", "/methods")["methods"]}
    assert (defaults["epf"]["n_particles"], defaults["epf"]["slopes"]) == (2, [0.5])


def test_the_environment_names_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPF_PROFILE", str(path))
    found = Settings().learned
    assert found is not None
    assert found.options == {"n_particles": 3, "slopes": [0.5]}
    monkeypatch.setenv("EPF_PROFILE", str(path.parent / "none.json"))
    with pytest.raises(InvalidRequest, match="Cannot read"):
        Settings()


def test_a_profile_of_other_models_stops_the_server(tmp_path: Path) -> None:
    save_profile(Profile("another", MODELS[1], "by hand"), tmp_path / "profile.json")
    with pytest.raises(InvalidRequest, match="The profile was learned with 'another'"):
        request(Settings.model_validate({"profile": tmp_path / "profile.json"}), "GET", "/methods")
