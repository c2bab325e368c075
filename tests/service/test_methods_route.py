"""``GET /methods``: what it lists is accepted, and what it leaves out is refused."""

import asyncio
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.settings import SearchDefaults, Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"
SETTINGS = Settings(
    search=SearchDefaults(n_particles=3, odds_power=0.75, system_prompt="The operator's own."), max_particles=16
)
OTHERS = {"lookahead": "reuse", "beam_width": 3, "certainty": 0.5, "odds_power": 2.0}
"""Values that no method has fixed."""


def listed(settings: Settings = SETTINGS, *, scored: bool = True) -> dict[str, Any]:
    async def get() -> dict[str, Any]:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel() if scored else None, settings)) as client:
            found: dict[str, Any] = (await client.get("/methods")).json()
            return found

    return asyncio.run(get())


def test_every_listed_method_runs_with_its_defaults_and_refuses_other_options() -> None:
    async def ask() -> None:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)) as client:
            for method in (await client.get("/methods")).json()["methods"]:
                body = {"problem": PROBLEM, "method": method["name"], **method["defaults"]}
                response = await client.post("/solve", json=body)
                assert response.status_code == 200, response.text
                for option, value in OTHERS.items():
                    if option not in method["options"]:
                        refused = await client.post("/solve", json={**body, option: value})
                        assert refused.status_code == 400, (method["name"], option)

    asyncio.run(ask())


def test_defaults_are_those_of_the_server_and_no_text_of_the_operator() -> None:
    body = listed()
    assert body["default"] == "epf"
    defaults = {method["name"]: method["defaults"] for method in body["methods"]}
    assert (defaults["epf"]["n_particles"], defaults["epf"]["odds_power"]) == (3, 0.75)
    assert "odds_power" not in defaults["beam"]
    assert "operator" not in str(body)
    assert body["limits"]["max_particles"] == 16
    assert body["models"] == {"generator": "scripted-generator", "reward_model": "scripted-reward-model"}


def test_without_a_reward_model_only_methods_that_need_none_are_listed() -> None:
    body = listed(Settings(), scored=False)
    assert body["default"] == "self_consistency"
    assert {method["name"] for method in body["methods"]} == {"ipf", "sample", "self_consistency"}
    assert set(body["models"]) == {"generator"}


@pytest.mark.parametrize("path", ["/methods", "/methods/"])
def test_both_spellings_are_found(path: str) -> None:
    async def get() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            return await client.get(path)

    assert asyncio.run(get()).status_code == 200
