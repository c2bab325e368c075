"""The confidence map of the settings in every response of a search."""

import asyncio
import json
import math
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from epf.core.errors import InvalidRequest
from epf.search.confidence.file import save_map
from epf.search.confidence.fitted import ConfidenceMap, Fit
from epf.search.confidence.logistic import Logistic
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"
THREE_QUARTERS = pytest.approx(0.75, abs=1e-5)
"""The file of a map keeps six digits of its weights."""


def settings(path: Path, generator: str) -> Settings:
    """Settings with a map that gives every scored search a confidence of three quarters."""
    fit = Fit(Logistic(math.log(3), {}, {}), None)
    save_map(ConfidenceMap(generator, ScriptedRewardModel().name, 1, "by hand", fit), path)
    return Settings(confidence=path)


def respond(chosen: Settings, path: str, body: Mapping[str, object]) -> httpx.Response:
    async def send() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel(), chosen)) as client:
            return await client.post(path, json=body)

    return asyncio.run(send())


def test_solve_stream_and_chat_have_the_confidence_of_the_map(tmp_path: Path) -> None:
    chosen = settings(tmp_path / "map.json", ScriptedGenerator().name)
    solved = respond(chosen, "/solve", {"problem": PROBLEM, "n_particles": 2}).json()
    assert solved["answer"] == "42"
    assert solved["confidence"] == THREE_QUARTERS
    events = respond(chosen, "/solve", {"problem": PROBLEM, "n_particles": 2, "stream": True}).text
    *_, round_, last = (json.loads(line[6:]) for line in events.splitlines() if '"confidence"' in line)
    assert round_["confidence"] == last["result"]["confidence"] == THREE_QUARTERS
    chat = {"model": "epf-2", "messages": [{"role": "user", "content": PROBLEM}]}
    assert respond(chosen, "/v1/chat/completions", chat).json()["choices"][0]["search"]["confidence"] == THREE_QUARTERS


def test_a_map_of_other_models_stops_the_server(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="The confidence map was fitted for 'another'"):
        respond(settings(tmp_path / "map.json", "another"), "/solve", {"problem": PROBLEM})
