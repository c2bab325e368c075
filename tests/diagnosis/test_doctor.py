"""All checks of two models, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from epf.diagnosis.doctor import Doctor
from epf.diagnosis.finding import Finding
from epf.engines.onnx.pairs import STORIES
from epf.generators.registry import GeneratorOptions
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.registry import RewardModelOptions
from epf.service.scoring_app import create_scoring_app
from tests.generators.openai.completions_server import completions_app
from tests.service.serving import served

NO_REWARD_MODEL = RewardModelOptions(kind="none")


async def examine(generator: GeneratorOptions, reward_model: RewardModelOptions) -> tuple[list[Finding], int]:
    """What is found, and the number of tokens that it cost."""
    doctor = Doctor(generator, reward_model)
    return [finding async for finding in doctor.findings()], doctor.n_tokens


def of_server(*, by_ids: bool, urls: str = "{}") -> list[Finding]:
    """What is found about the embedded generator behind a server."""

    async def main() -> list[Finding]:
        async with asyncio.timeout(60), served(completions_app(STORIES.generator, by_ids=by_ids)) as (host, port):
            options = GeneratorOptions(url=urls.format(f"http://{host}:{port}"), tokenizer=STORIES.generator, system_prompt="")
            return (await examine(options, NO_REWARD_MODEL))[0]

    return asyncio.run(main())


def marks(findings: list[Finding], mark: str) -> list[str]:
    """Names of the checks with this mark."""
    return [finding.check for finding in findings if finding.mark == mark]


@pytest.mark.parametrize(("by_ids", "tokens"), [(True, "returns them"), (False, "returns text")])
@pytest.mark.slow
def test_a_generator_behind_a_server(by_ids: bool, tokens: str) -> None:
    findings = of_server(by_ids=by_ids)
    assert marks(findings, "failed") == []
    assert marks(findings, "warning") == ([] if by_ids else ["log probabilities"])
    (ids,) = (finding for finding in findings if finding.check == "token ids")
    assert tokens in ids.found
    assert ("ipf" in findings[-1].found) == by_ids, "what can be used without a reward model depends on log probabilities"


def test_the_embedded_reward_model_next_to_another_generator() -> None:
    """Nothing but its name says so: its scores are as certain as ever."""
    findings, _ = asyncio.run(examine(GeneratorOptions(url="http://127.0.0.1:1"), RewardModelOptions(kind="embedded")))
    assert marks(findings, "warning") == ["pairing"]


def test_one_of_two_replicas_is_down() -> None:
    """The other one is examined to the end."""
    findings = of_server(by_ids=True, urls="http://127.0.0.1:1,{}")
    assert marks(findings, "failed") == ["address"]
    assert "seeds" in marks(findings, "ok")


def test_all_replicas_are_down() -> None:
    options = GeneratorOptions(url="http://127.0.0.1:1,http://localhost:1", tokenizer=STORIES.generator)
    findings, n_tokens = asyncio.run(examine(options, NO_REWARD_MODEL))
    assert marks(findings, "failed") == ["address", "address"]
    assert findings[-2].check == "loading"
    assert findings[-2].mark == "skipped"
    assert n_tokens == 0


def test_a_reward_model_behind_a_scoring_server() -> None:
    async def main() -> list[Finding]:
        async with asyncio.timeout(60), served(create_scoring_app(EmbeddedRewardModel(STORIES.reward_model))) as (host, port):
            findings, _ = await examine(GeneratorOptions(), RewardModelOptions(url=f"http://{host}:{port}"))
            return [finding for finding in findings if finding.subject.startswith("reward model")]

    findings = asyncio.run(main())
    own = ["loading", "ready", "scores", "right and wrong"]
    assert marks(findings, "ok") == ["address", "response", "key", "server", "route", *own]


def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    """What the loader says is the finding, and nothing else is checked."""
    options = GeneratorOptions(kind="embedded", name=str(tmp_path / "missing"))
    findings, _ = asyncio.run(examine(options, RewardModelOptions(kind="embedded", name=str(tmp_path / "missing"))))
    assert [(finding.subject, finding.check, finding.mark) for finding in findings] == [
        ("generator", "loading", "failed"),
        ("reward model", "loading", "failed"),
    ]
    assert all("missing" in finding.found for finding in findings)
