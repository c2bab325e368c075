"""Reward models from their options."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import STORIES
from epf.reward_models.calibration import CalibratedRewardModel, fit
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.registry import RewardModelOptions, load_reward_model

DIRECTORY = STORIES.reward_model


@pytest.mark.parametrize("options", [RewardModelOptions(), RewardModelOptions(name=str(DIRECTORY))])
def test_options_select_the_embedded_model(options: RewardModelOptions) -> None:
    model = load_reward_model(options)
    assert type(model) is EmbeddedRewardModel
    asyncio.run(model.aclose())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RewardModelOptions(kind="gpt"), "embedded, http, vllm"),
        (RewardModelOptions(kind="none"), "--reward-model"),
        (RewardModelOptions(kind="http"), "`url`"),
        (RewardModelOptions(kind="http", url="localhost"), "http://"),
        (RewardModelOptions(kind="vllm"), "`name`"),
        (RewardModelOptions(kind="vllm", name=str(DIRECTORY)), "`family`"),
        (RewardModelOptions(calibration=Path("no/file")), "no/file"),
    ],
)
def test_a_missing_option_is_named(options: RewardModelOptions, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        load_reward_model(options)


def test_a_calibration_is_applied(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    fit([0.2, 0.8, 0.9], [0, 0, 1], model="stories-reward-model").save(file)
    model = load_reward_model(RewardModelOptions(name="stories", calibration=file))
    assert isinstance(model, CalibratedRewardModel)
    asyncio.run(model.aclose())


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(RewardModelOptions(kind="http", api_key=SecretStr("secret")))
