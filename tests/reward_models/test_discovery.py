"""Loading a reward model by asking its server what it serves."""

import asyncio
from typing import Any

import pytest

from epf.core.description import description_of
from epf.core.errors import InvalidRequest, RewardModelError
from epf.core.reward_model import RewardModel
from epf.engines.onnx.pairs import STORIES
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.http import HttpRewardModel
from epf.reward_models.judge import ChatJudge
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from tests.engines.http.server import Answer, Request, upstream
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import served

DIRECTORY = STORIES.reward_model


def listing(*models: dict[str, Any]) -> Answer:
    return Answer({"object": "list", "data": list(models)})


def loaded(models: Answer, **options: Any) -> RewardModel:
    """The reward model behind a server that answers ``/v1/models`` and knows no other route."""

    def respond(request: Request) -> Answer:
        return models if request.path == "/v1/models" else Answer({"detail": "Not Found"}, 404)

    async def load() -> RewardModel:
        async with upstream(respond) as server:
            chosen = RewardModelOptions(url=f"{server.url}/v1/", **options)
            return await asyncio.to_thread(load_reward_model, chosen)

    return asyncio.run(load())


@pytest.mark.parametrize(
    ("models", "options", "expected", "name"),
    [
        (listing({"id": "chat"}), {"family": "judge"}, ChatJudge, "chat"),
        (listing({"id": "chat"}, {"id": "other"}), {"family": "judge", "name": "other"}, ChatJudge, "other"),
        (Answer({}, 404), {"family": "judge", "name": "unlisted"}, ChatJudge, "unlisted"),
        (Answer({}, 403), {"family": "judge", "name": "unlisted"}, ChatJudge, "unlisted"),
        (listing({"id": "launch/ThinkPRM-1.5B"}), {}, ChatJudge, "launch/ThinkPRM-1.5B"),
        (listing({"id": "prm", "root": "launch/ThinkPRM-14B"}), {}, ChatJudge, "prm"),
        (listing({"id": "m"}), {"family": "embedded", "tokenizer": DIRECTORY}, FamilyRewardModel, "m"),
        (listing(), {"family": "embedded", "name": str(DIRECTORY)}, FamilyRewardModel, str(DIRECTORY)),
    ],
)
def test_model_and_family_are_found_by_asking(models: Answer, options: dict[str, Any], expected: type, name: str) -> None:
    model = loaded(models, **options)
    assert (type(model), model.name) == (expected, name)
    assert "at http://127.0.0.1:" in description_of(model)
    assert options.get("family", "thinkprm") in description_of(model)
    asyncio.run(model.aclose())


@pytest.mark.parametrize(
    ("models", "options", "error", "message"),
    [
        (
            listing({"id": "Qwen2.5-7B"}),
            {},
            InvalidRequest,
            r"'Qwen2.5-7B' at http.* choose one with --family .*judge for",
        ),
        (listing({"id": "m"}), {"family": "other"}, InvalidRequest, "skywork-o1-prm, thinkprm"),
        (listing({"id": "a"}, {"id": "b"}), {"family": "judge"}, RewardModelError, "has the models a, b. Name one"),
        (listing(), {"family": "judge"}, RewardModelError, "lists no models. Name one"),
        (Answer({}, 404), {"family": "judge"}, RewardModelError, r"status 404.*set reward_model\.name"),
        (
            Answer({}, 401),
            {"family": "judge", "name": "m"},
            RewardModelError,
            r"status 401.*Set a key in reward_model",
        ),
        (Answer(b"<html>"), {"family": "judge"}, RewardModelError, "not a JSON object. Is another service there"),
        (listing(), {"family": "embedded", "name": "/no/dir"}, InvalidRequest, r"reward_model\.name.*not a directory"),
    ],
)
def test_what_cannot_be_found_is_an_error_that_says_what_to_do(
    models: Answer, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        loaded(models, **options)


def test_a_scoring_server_names_its_own_model_and_a_search_service_is_refused() -> None:
    async def load(app: Any) -> RewardModel:
        async with served(app) as (host, port):
            options = RewardModelOptions(url=f"http://{host}:{port}/")
            model = await asyncio.to_thread(load_reward_model, options)
            await model.aclose()
            return model

    model = asyncio.run(load(create_scoring_app(ScriptedRewardModel())))
    assert (type(model), model.name) == (HttpRewardModel, "scripted-reward-model")
    with pytest.raises(InvalidRequest, match="is an `epf serve`, not a reward model"):
        asyncio.run(load(create_app(ScriptedGenerator(), ScriptedRewardModel())))


def test_a_server_that_is_down_is_an_error_at_once() -> None:
    for family in (None, "judge"):
        with pytest.raises(RewardModelError, match=r"at http://127\.0\.0\.1:1 failed after 1 attempt: .*nothing listens"):
            load_reward_model(RewardModelOptions(url="http://127.0.0.1:1", family=family, name="m"))
