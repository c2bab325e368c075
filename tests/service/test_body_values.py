"""Bodies with very many values are refused before anything validates them, which would keep everybody else waiting."""

import asyncio

import pytest
from fastapi import FastAPI

from epf.core.errors import InvalidRequest
from epf.service.app import create_app
from epf.service.http.body import MAX_VALUES, check_values
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

APPS = {
    "serve": lambda: create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings()),
    "serve-prm": lambda: create_scoring_app(ScriptedRewardModel(), Settings()),
}


def paths(app: FastAPI) -> list[str]:
    """Routes that read a JSON body on the event loop; those of the entropy tools read it in a worker process."""
    described = app.openapi()["paths"].items()
    return [path for path, ways in described if "requestBody" in ways.get("post", {}) and not path.startswith("/entropy/")]


@pytest.mark.parametrize("name", APPS)
def test_every_route_refuses_a_body_with_too_many_values(name: str) -> None:
    async def test() -> None:
        app = APPS[name]()
        assert paths(app)
        async with client_of(app) as client:
            for path in paths(app):
                response = await client.post(path, json={"unknown": [1] * (MAX_VALUES + 1)})
                assert response.status_code == 400, path
                assert f"more than {MAX_VALUES} fields and items" in response.json()["error"]["message"], path

    asyncio.run(asyncio.wait_for(test(), 30))


def test_values_are_counted_on_all_levels() -> None:
    half = MAX_VALUES // 2
    check_values({"a": [[1] * half], "b": {"c": [{}] * (half - 4)}})
    too_many: list[object] = [
        {"a": [[1] * half], "b": {"c": [{}] * (half - 3)}},
        [[]] * (MAX_VALUES + 1),
        {str(k): 1 for k in range(MAX_VALUES + 1)},
    ]
    for body in too_many:
        with pytest.raises(InvalidRequest):
            check_values(body)
