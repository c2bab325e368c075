"""Which reward model belongs to a generator."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from epf import SearchResult, asolve, solve
from epf.cli.models import named_models
from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import DEFAULT_PAIR, FORKS_OVERCONFIDENT, STORIES
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.registry import GeneratorOptions
from epf.problem_sets.forks.problems import mazes
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.registry import RewardModelOptions
from epf.search.confidence.shipped import shipped_map
from epf.search.pair import named_pair, paired
from epf.search.profile.shipped import shipped_profile
from epf.service.settings import Settings
from tests.generators.openai.completions_server import completions_app
from tests.search.scripted import Generator, RewardModel, drive, solution
from tests.service.serving import served
from tests.tiny_model import write_model

URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("generator", "reward_model", "kind"),
    [
        ({}, {}, "embedded"),
        ({"name": "stories"}, {}, "embedded"),
        ({"name": str(STORIES.generator)}, {}, "embedded"),
        ({"reference": "embedded"}, {"reference": "none"}, "none"),
        ({"url": URL}, {}, "none"),
        ({"reference": "org/model"}, {}, "none"),
        ({"url": URL}, {"reference": "embedded"}, "embedded"),
        ({"url": URL}, {"url": URL}, "http"),
        ({}, {"reference": "org/prm", "family": "skywork-o1-prm"}, "vllm"),
    ],
)
def test_only_the_embedded_generator_has_a_reward_model_by_default(
    generator: Mapping[str, Any], reward_model: Mapping[str, Any], kind: str
) -> None:
    found = paired(GeneratorOptions.model_validate(generator), RewardModelOptions.model_validate(reward_model)).reward_model
    assert isinstance(found, RewardModelOptions)
    assert found.kind == kind


@pytest.mark.parametrize(
    ("generator", "reward_model", "name"),
    [
        ({}, {}, DEFAULT_PAIR.name),
        ({"reference": "embedded"}, {}, DEFAULT_PAIR.name),
        ({"reference": "stories"}, {}, "stories"),
        ({"reference": "plain"}, {}, "plain"),
        ({"reference": "stories"}, {"reference": "plain"}, "plain"),
        ({"reference": "plain"}, {"reference": "stories"}, "stories"),
        ({"kind": "embedded", "name": "stories"}, {"reference": "embedded"}, "stories"),
        ({"name": str(STORIES.generator)}, {}, "stories"),
        ({"reference": "embedded"}, {"reference": "stories"}, "stories"),
        ({"url": URL}, {"reference": "embedded"}, DEFAULT_PAIR.name),
    ],
)
def test_an_embedded_reward_model_without_a_name_is_of_the_generators_pair(
    generator: Mapping[str, Any], reward_model: Mapping[str, Any], name: str
) -> None:
    found = paired(GeneratorOptions.model_validate(generator), RewardModelOptions.model_validate(reward_model)).reward_model
    assert isinstance(found, RewardModelOptions)
    assert (found.kind, found.name) == ("embedded", name)


def test_a_generator_that_is_passed_alone_is_searched_without_scores() -> None:
    result = solve("problem", generator=Generator(solution(3, n_answers=1)), n_particles=3)
    assert (result.method, result.answer, result.usage.prm_calls) == ("self_consistency", "0", 0)
    with pytest.raises(InvalidRequest, match=r"'epf' needs a reward model.*--reward-model"):
        drive(asolve("problem", method="epf", generator=Generator(solution(3))))


def test_names_work_in_python() -> None:
    result = solve(
        "There are 45 birds on a wire. 17 fly away. How many are left?",
        generator="embedded",
        reward_model="none",
        n_particles=2,
    )
    assert (result.method, result.usage.prm_calls) == ("self_consistency", 0)


def test_a_server_is_asked_in_python(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny", "generator")
    limits: dict[str, Any] = {"n_particles": 2, "max_steps": 1, "max_tokens_per_step": 2}

    async def ask() -> SearchResult:
        async with served(completions_app(tmp_path / "tiny", by_ids=True)) as (host, port):
            url = f"http://{host}:{port}/v1"
            options = GeneratorOptions(url=url, tokenizer=tmp_path / "tiny", system_prompt="")
            with pytest.raises(InvalidRequest, match="System prompt and examples"):  # 128 tokens have no room for one
                await asolve("1+1?", generator=url, tokenizer=tmp_path / "tiny", **limits)
            return await asolve("1+1?", generator=options, reward_model=RewardModel(), **limits)

    result = asyncio.run(ask())
    assert (result.method, len(result.particles)) == ("epf", 2)
    assert result.usage.prm_calls > 0


ONE = RewardModel()


class Other(RewardModel):
    name = "other"


def test_a_list_of_reward_models_is_their_product() -> None:
    options: dict[str, Any] = {"generator": Generator(solution(3)), "n_particles": 4, "seed": 1, "method": "pf"}
    sure, unsure = RewardModel(lambda steps: 0.9), Other(lambda steps: 0.6)
    result = solve("problem", **options, reward_model=[sure, unsure])
    assert result.usage.prm_tokens_of == {model.name: sum(len(call[-1]) for call in model.calls) for model in (sure, unsure)}
    scores = [score for particle in result.particles for score in particle.scores]
    assert scores == [pytest.approx(0.9 * 0.6 / (0.9 * 0.6 + 0.1 * 0.4))] * len(scores)
    assert solve("problem", **options, reward_model=[sure]).usage.prm_tokens_of.keys() == {"scripted"}


def test_names_and_options_make_a_list_too() -> None:
    also = RewardModelOptions(name="plain")
    found = named_pair("stories", ["stories", also, RewardModelOptions.model_validate({"reference": URL})]).reward_model
    assert isinstance(found, RewardModelOptions)
    assert [(each.kind, each.name or each.url) for each in found.all] == [
        ("embedded", "stories"),
        ("embedded", "plain"),
        ("http", URL),
    ]
    assert named_pair("stories", ["stories"]).reward_model == named_pair("stories", "stories").reward_model


def test_what_was_learned_of_a_pair_is_not_applied_with_another_reader() -> None:
    alone, both = named_pair("stories", "stories"), named_pair("stories", ["stories", "plain"])
    assert (shipped_profile(alone) is None) == (not STORIES.profile.exists())
    assert shipped_profile(both) is None
    assert shipped_map("stories-generator", "stories-reward-model") is not None
    assert shipped_map("stories-generator", "stories-reward-model * plain-reward-model") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward_model": []}, "a list holds one reward model or more"),
        ({"reward_model": ["stories", RewardModel()]}, "either all as objects or all as names"),
        ({"reward_model": [ONE, ONE]}, "at least two different reward models"),
        ({"reward_model": ["stories", 1]}, "and no int"),
        ({"reward_model": ["stories", "plain"], "family": "judge"}, "family could belong to each"),
        ({"generator": "stories", "reward_model": ["stories", "embedded"]}, "stories is named twice"),
        ({"generator": "plain", "reward_model": ["stories", RewardModelOptions(name="stories")]}, "stories is named twice"),
        ({"generator": "stories", "reward_model": ["stories", "none"]}, "each item must name one reward model"),
        ({"generator": URL, "reward_model": RewardModelOptions(also=("stories",))}, "also.*has no effect, since no"),
        ({"generator": "localhost:8001"}, "write http://localhost:8001"),
        ({"generator": Path("no/such")}, "there is no directory '/.*/no/such'"),
        ({"reward_model": Path("no/such")}, "there is no directory '/.*/no/such'"),
        ({"generator": Generator(solution(1)), "tokenizer": "org/model"}, "tokenizer has no effect"),
        ({"reward_model": RewardModel(), "family": "judge"}, "family has no effect"),
        ({"family": "judge"}, "family.*has no effect, since no reward model is named"),
        ({"tokenizer": "org/model"}, "tokenizer.*has no effect, since the generator is of kind 'embedded'"),
        (
            {"generator": URL, "reward_model": RewardModelOptions(calibration=Path("c.json"))},
            "calibration.*has no effect, since no",
        ),
        ({"reward_model": "embed"}, "did you mean 'embedded'"),
        ({"generator": "storie"}, "did you mean 'stories'.*, stories.* or embedded"),
        ({"generator": "none"}, "'none' names no model"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        named_pair(**{"generator": None, "reward_model": None, **arguments})


def test_a_reference_of_a_later_source_replaces_what_an_earlier_one_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        'generator = "http://in.file:1/v1/"\n[reward_model]\nurl = "http://in.file:2"\nfamily = "judge"\nname = "m"\n'
    )
    monkeypatch.setenv("EPF_SETTINGS", str(file))
    assert Settings().generator.urls == ("http://in.file:1",)
    monkeypatch.setenv("EPF_GENERATOR", "https://in.environment")
    monkeypatch.setenv("EPF_GENERATOR__API_KEY", "secret")
    monkeypatch.setenv("EPF_REWARD_MODEL", "none")
    settings = Settings()
    assert (settings.generator.kind, settings.generator.urls) == ("openai", ("https://in.environment",))
    assert settings.generator.api_key is not None
    assert settings.reward_model == RewardModelOptions(kind="none")
    monkeypatch.setenv("EPF_REWARD_MODEL", "stories")
    monkeypatch.setenv("EPF_REWARD_MODEL__ALSO", '["plain", {"url": "http://in.environment:3", "family": "judge"}]')
    assert [(each.kind, each.family) for each in Settings().reward_model.all] == [
        ("embedded", None),
        ("embedded", None),
        ("http", "judge"),
    ]
    flags = Settings(**named_models("embedded", [URL]))
    assert [each.kind for each in flags.reward_model.all] == ["http", "embedded", "http"], "one flag replaces the first"
    flags = Settings(**named_models("embedded", [URL, "plain"]))
    assert [each.kind for each in flags.reward_model.all] == ["http", "embedded"], "several replace all"
    monkeypatch.setenv("EPF_REWARD_MODEL", "none")
    monkeypatch.delenv("EPF_REWARD_MODEL__ALSO")
    flags = Settings(generator="embedded", reward_model={"reference": URL})
    assert flags.generator == GeneratorOptions()
    assert (flags.reward_model.kind, flags.reward_model.urls, flags.reward_model.family) == ("http", (URL,), None)


@pytest.mark.parametrize(
    ("generator", "reward_model", "warned"),
    [
        ("forks", "forks", False),
        ("forks", "forks-overconfident", False),
        ("stories", "stories-second", False),
        ("stories-second", None, False),
        ("forks", "stories-second", True),
        ("stories", "plain", True),
    ],
)
def test_a_reward_model_is_a_stranger_to_the_generators_of_other_pairs_only(
    generator: str, reward_model: str | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    result = solve("1 + 1?", generator=generator, reward_model=reward_model, n_particles=1, max_steps=1, seed=1)
    assert result.usage.prm_calls == 1
    assert ("does not know problems" in caplog.text) == warned


def test_a_map_and_a_profile_are_for_the_reward_model_of_their_pair_only() -> None:
    assert shipped_map("stories-generator", "stories-second-reward-model") is None
    assert shipped_map("forks-generator", "stories-reward-model") is None
    assert shipped_map("stories-generator", "stories-reward-model") is not None
    for name in ("forks", "forks-overconfident"):
        found = shipped_profile(named_pair("forks", name))
        assert found is not None
        assert found.models == ("forks-generator", f"{name}-reward-model")
    assert shipped_profile(named_pair("forks", "stories")) is None


def test_a_profile_that_ships_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(generator="forks", reward_model="forks-overconfident").learned is not None
    monkeypatch.setenv("EPF_PROFILE", "none")
    assert Settings(generator="forks", reward_model="forks-overconfident").learned is None


def test_the_map_of_a_profile_is_that_of_names_and_not_of_objects() -> None:
    given: dict[str, Any] = {"method": "pf", "n_particles": 2, "max_steps": 12, "seed": 3}
    problem = next(mazes(1)).text
    named = solve(problem, generator="forks", reward_model="forks-overconfident", **given)
    objects: dict[str, Any] = {
        "generator": EmbeddedGenerator(FORKS_OVERCONFIDENT.generator),
        "reward_model": EmbeddedRewardModel(FORKS_OVERCONFIDENT.reward_model),
    }
    passed = solve(problem, **objects, **given)
    assert named.answer == passed.answer
    assert named.confidence != passed.confidence
    learned = shipped_profile(named_pair("forks", "forks-overconfident"))
    assert learned is not None
    assert solve(problem, **objects, confidence=learned.confidence, **given).confidence == named.confidence
