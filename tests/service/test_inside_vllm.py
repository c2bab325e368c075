"""Settings of the service inside vLLM: what vLLM decides is refused, and its keys are ours. No vLLM is needed for that."""

from argparse import Namespace

import pytest

from epf.core.errors import InvalidRequest
from epf.service.access.keys import Keys
from epf.service.inside_vllm.settings import REFUSED, settings_inside


def test_the_keys_are_those_of_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "other")
    settings = settings_inside(Namespace(api_key=["first", "second"]))
    keys = Keys(settings.api_keys)
    assert [keys.owner(key) for key in (b"first", b"second", b"other")] == ["vllm-1", "vllm-2", None]
    assert not settings.allow_anonymous
    assert Keys(settings_inside(Namespace(api_key=None)).api_keys).owner(b"other") == "vllm-1"


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


def test_settings_without_effect_are_reported(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("EPF_PORT", "8000")
    monkeypatch.setenv("EPF_MAX_BATCH", "8")
    assert settings_inside(Namespace(api_key=None)).max_batch == 8
    assert "EPF_PORT has no effect" in caplog.text
    assert "MAX_BATCH" not in caplog.text
