"""Generators from what an operator configured."""

import asyncio
import sys
from pathlib import Path

import pytest

from epf.core.errors import InvalidRequest
from epf.engines.onnx.config import SHIPPED
from epf.generators.registry import GeneratorOptions, load_generator
from epf.service.searches.models import generator_of
from epf.service.settings import Settings
from tests.tiny_model import write_model


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("gpt-2", GeneratorOptions(), "embedded, openai, vllm"),
        ("embedded", GeneratorOptions(model="/no/directory"), "/no/directory"),
        ("openai", GeneratorOptions(model="served"), "urls"),
        ("vllm", GeneratorOptions(), "model"),
    ],
)
def test_what_is_missing_is_named(name: str, options: GeneratorOptions, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told) as caught:
        load_generator(name, options)
    assert caught.value.param == "generator"


def test_without_vllm_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'entropic-particle-filtering\[vllm\]'"):
        load_generator("vllm", GeneratorOptions(model=str(SHIPPED / "generator")))


def test_settings_name_the_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "tiny", "generator")
    monkeypatch.setenv("EPF_GENERATOR_NAME", str(tmp_path / "tiny"))
    generator = generator_of(Settings())
    assert generator.name == "tiny"
    asyncio.run(generator.aclose())


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(GeneratorOptions(api_key="secret"))
    assert "secret" not in repr(Settings(generator_api_key="secret"))
