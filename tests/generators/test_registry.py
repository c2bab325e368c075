"""Generators from their options."""

import asyncio
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import STORIES
from epf.generators.registry import GeneratorOptions, load_generator
from epf.service.settings import Settings
from tests.tiny_model import write_model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GeneratorOptions(kind="gpt-2"), "embedded, openai, vllm"),
        (GeneratorOptions(kind="openai", name="served"), "`url`"),
        (GeneratorOptions(kind="vllm"), "`name`"),
    ],
)
def test_a_missing_option_is_named(options: GeneratorOptions, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        load_generator(options)
    assert caught.value.param == "generator"


def test_an_unknown_pair_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"there is no model 'novels': give name one of plain, stories.*, or a directory"):
        load_generator(GeneratorOptions(kind="embedded", name="novels"))


def test_a_missing_vllm_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InvalidRequest, match=r"pip install '\.\[vllm\]'"):
        load_generator(GeneratorOptions(kind="vllm", name=str(STORIES.generator)))


def test_settings_name_the_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "tiny", "generator")
    monkeypatch.setenv("EPF_GENERATOR__NAME", str(tmp_path / "tiny"))
    generator = load_generator(Settings().generator)
    assert generator.name == "tiny"
    asyncio.run(generator.aclose())


def test_a_directory_with_the_name_of_a_pair_is_that_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "stories", "generator")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EPF_GENERATOR", "./stories")
    generator = load_generator(Settings().generator)
    assert generator.name == "stories"
    asyncio.run(generator.aclose())


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny", "generator")
    weights = tmp_path / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InvalidRequest, match="weights are damaged") as refused:
        load_generator(GeneratorOptions(kind="embedded", name=str(tmp_path / "tiny")))
    assert refused.value.param == "generator"


def test_a_key_is_not_shown() -> None:
    options = GeneratorOptions(kind="openai", api_key=SecretStr("secret"))
    assert "secret" not in repr(options)
    assert "secret" not in repr(Settings(generator=options))


def test_equivalent_servers_are_separated_by_commas() -> None:
    assert GeneratorOptions(url=" http://a:1, http://b:2 ,").urls == ("http://a:1", "http://b:2")


def test_a_directory_that_does_not_exist_is_named() -> None:
    with pytest.raises(InvalidRequest, match="there is no directory '/no/directory'"):
        GeneratorOptions(name="/no/directory")
