"""Loading a generator by asking its servers for their model."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import GeneratorError, InvalidRequest, SearchServiceError
from epf.core.generator import Message, Sampling
from epf.generators.servers import load_server
from tests.engines.http.server import Answer, upstream
from tests.generators.openai.completions_server import completions_app
from tests.service.serving import served
from tests.tiny_model import CONTEXT

PROMPT = (Message("user", "How many birds?"),)


@pytest.mark.parametrize("by_ids", [True, False])
def test_name_and_context_come_from_the_server_or_else_the_configuration(directory: Path, by_ids: bool) -> None:
    async def main() -> None:
        async with served(completions_app(directory, by_ids=by_ids)) as (host, port):
            generator = await asyncio.to_thread(load_server, [f"http://{host}:{port}"], tokenizer=directory)
            assert (generator.name, generator.context_length) == ("tiny", CONTEXT)
            step = await generator.step(generator.prompt_ids(PROMPT), Sampling(), 0)
            assert bool(step.log_probs) == by_ids
            await generator.ready()
            await generator.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


def loaded(models: Any, directory: Path | str | None, **options: Any) -> str:
    """Name of the generator loaded from a server that lists ``models``."""

    async def main() -> str:
        listed = models if isinstance(models, Answer) else Answer({"data": models})
        async with upstream(lambda request: listed if request.path == "/v1/models" else Answer({"choices": []})) as server:
            generator = await asyncio.to_thread(load_server, [server.url], tokenizer=directory, **options)
            await generator.aclose()
            return generator.name

    return asyncio.run(asyncio.wait_for(main(), 60))


LISTED = [{"id": "one", "max_model_len": 9}, {"id": "/models/two", "max_model_len": 9}]


def test_a_model_is_chosen_by_name_or_because_it_is_the_only_one(directory: Path) -> None:
    assert loaded(LISTED, directory, model="one") == "one"
    assert loaded(LISTED, directory, model="/models/two") == "two"
    assert loaded(LISTED[:1], directory) == "one"


@pytest.mark.parametrize(
    "models",
    [LISTED, [], Answer({}, 404), Answer({}, 403), Answer({}, 500), Answer({"data": [{"id": True}]})],
)
def test_a_model_that_is_named_need_not_be_listed(directory: Path, models: Any) -> None:
    assert loaded(models, directory, model="three") == "three"


def test_a_named_model_of_a_server_that_is_down_is_an_error(directory: Path) -> None:
    with pytest.raises(
        GeneratorError, match=r"at http://127\.0\.0\.1:1 failed after 1 attempt: connection failed \(connection refused"
    ):
        load_server(["http://127.0.0.1:1"], model="three", tokenizer=directory)


@pytest.mark.parametrize("listed", [{"max_model_len": 77}, {"context_length": 77}, {"meta": {"n_ctx": 77}}])
def test_the_context_is_read_from_the_list_if_it_is_there(directory: Path, listed: dict[str, Any]) -> None:
    async def main() -> int:
        async with upstream(lambda _: Answer({"data": [{"id": "one"} | listed]})) as server:
            generator = await asyncio.to_thread(load_server, [f"{server.url}/v1/"], tokenizer=directory, model="one")
            await generator.aclose()
            assert [request.path for request in server.requests[:2]] == ["/health", "/v1/models"]
            return generator.context_length

    assert asyncio.run(asyncio.wait_for(main(), 60)) == 77


@pytest.mark.parametrize(
    ("models", "options", "error", "match"),
    [
        (LISTED, {}, GeneratorError, "has the models /models/two, one. Name one"),
        ([], {}, GeneratorError, "lists no models"),
        ({"one": 1}, {}, GeneratorError, "lists no models"),
        ([5, {"id": 5}], {}, GeneratorError, "lists no models"),
        (Answer({}, 401), {}, GeneratorError, "status 401"),
        (Answer({}, 200), {}, GeneratorError, "lists no models"),
        (LISTED[:1], {"directory": None}, GeneratorError, "without any choice"),
        (LISTED[:1], {"directory": "nowhere"}, InvalidRequest, "generator.tokenizer: 'nowhere' is not a directory"),
    ],
)
def test_a_failure_to_load_says_why(
    directory: Path,
    models: Any,
    options: dict[str, Any],
    error: type[SearchServiceError],
    match: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(error, match=match):
        loaded(models, **({"directory": directory} | options))


def test_a_context_of_unknown_length_is_rejected(directory: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((directory / name).read_text())
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="context length"):
        loaded([{"id": "one"}], tmp_path)
    assert loaded([{"id": "one", "max_model_len": 9}], tmp_path) == "one"
