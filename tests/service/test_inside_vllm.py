"""Settings of the service inside vLLM: what vLLM decides is refused, and its keys are ours. No vLLM is needed for that."""

import asyncio
from argparse import Namespace

import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse

from epf.core.errors import InvalidRequest
from epf.service.access.keys import Keys
from epf.service.inside_vllm.routes import CHAT, MODELS, attach_routes
from epf.service.inside_vllm.settings import REFUSED, served_name, settings_inside
from tests.service.serving import client_of


def test_the_keys_are_those_of_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "other")
    settings = settings_inside(Namespace(api_key=["first", "second"]))
    keys = Keys(settings.api_keys)
    assert all(keys.owner(key) for key in (b"first", b"second"))
    assert keys.owner(b"other") is None
    assert not settings.allow_anonymous
    assert Keys(settings_inside(Namespace(api_key=None)).api_keys).owner(b"other")


def test_an_owner_of_a_key_keeps_its_name_when_other_keys_change() -> None:
    """Kept searches belong to names: they must not go to the holder of another key."""
    before, after = (
        Keys(settings_inside(Namespace(api_key=keys)).api_keys) for keys in (["first", "second"], ["second", "new"])
    )
    assert before.owner(b"second") == after.owner(b"second")
    assert len({before.owner(b"first"), before.owner(b"second"), after.owner(b"new")}) == 3


def test_without_keys_everybody_may_call_as_in_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    settings = settings_inside(Namespace(api_key=None))
    assert not settings.api_keys
    assert settings.allow_anonymous


@pytest.mark.parametrize(
    ("name", "value"), [("generator", "stories"), ("api_keys", f'{{"a": "{16 * "b"}"}}'), ("api_keys_file", "keys")]
)
def test_what_vllm_decides_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"EPF_{name.upper()}", value)
    with pytest.raises(InvalidRequest, match=f"EPF_{name.upper()} cannot be set inside vLLM") as refused:
        settings_inside(Namespace(api_key=None))
    assert refused.value.param == name in REFUSED


def test_a_body_that_is_nested_too_deep_is_vllm_s() -> None:
    theirs = FastAPI()

    @theirs.post(CHAT)
    async def chat() -> str:
        return "vLLM's"

    @theirs.get(MODELS)
    async def models() -> None: ...

    attach_routes(theirs, JSONResponse("ours"))
    theirs.router.routes.reverse()  # vLLM lets the routes of a plug-in come first

    async def ask(body: bytes) -> str:
        async with client_of(theirs) as client:
            return str((await client.post(CHAT, content=body)).json())

    assert asyncio.run(ask(b'{"model": "epf-8"}')) == "ours"
    assert asyncio.run(ask(b"[" * 100_000)) == "vLLM's"


def test_settings_without_effect_are_reported(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("EPF_PORT", "8000")
    monkeypatch.setenv("EPF_MAX_BATCH", "8")
    assert settings_inside(Namespace(api_key=None)).max_batch == 8
    assert "EPF_PORT has no effect" in caplog.text
    assert "MAX_BATCH" not in caplog.text


def test_a_model_named_like_a_method_is_refused() -> None:
    assert served_name(Namespace(model="org/model", served_model_name=None)) == "org/model"
    assert served_name(Namespace(model="org/model", served_model_name=["first", "second"])) == "first"
    for names in (["beam"], ["first", "epf-16"]):
        with pytest.raises(InvalidRequest, match="is that of a search method: give it another one with --served-model-name"):
            served_name(Namespace(model="org/model", served_model_name=names))
