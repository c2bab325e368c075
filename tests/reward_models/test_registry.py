"""Reward models from what an operator configured."""

import asyncio
from pathlib import Path

import pytest

from epf.core.errors import InvalidRequest
from epf.reward_models.calibration import CalibratedRewardModel, fit
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.http import HttpRewardModel
from epf.reward_models.judge import ChatJudge
from epf.reward_models.pooled import PooledRewardModel
from epf.reward_models.registry import RewardModelOptions, load_reward_model

SHIPPED = Path(__file__).parents[2] / "embedded" / "weights" / "reward_model"
URLS = ("http://127.0.0.1:1",)


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("embedded", RewardModelOptions(), EmbeddedRewardModel),
        ("embedded", RewardModelOptions(model=str(SHIPPED)), EmbeddedRewardModel),
        ("http", RewardModelOptions(urls=URLS), HttpRewardModel),
        ("http", RewardModelOptions(urls=URLS, model=str(SHIPPED), family="embedded"), PooledRewardModel),
        ("http", RewardModelOptions(urls=URLS, model="served", family="embedded", tokenizer=SHIPPED), PooledRewardModel),
        ("http", RewardModelOptions(urls=URLS, model="m", family="thinkprm"), ChatJudge),
    ],
)
def test_what_was_configured_is_made(name: str, options: RewardModelOptions, kind: type) -> None:
    model = load_reward_model(name, options)
    assert type(model) is kind
    if options.model and name == "http":
        assert model.name == options.model
    asyncio.run(model.aclose())


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("gpt", RewardModelOptions(), "embedded, http, vllm"),
        ("http", RewardModelOptions(), "urls"),
        ("http", RewardModelOptions(urls=("localhost",)), "http://"),
        ("http", RewardModelOptions(urls=URLS, family="judge"), "model"),
        ("http", RewardModelOptions(urls=URLS, family="other", model="m"), "skywork-o1-prm, thinkprm"),
        ("http", RewardModelOptions(urls=URLS, family="embedded", model="/no/directory"), "reward_model_name.*no directory"),
        ("vllm", RewardModelOptions(), "model"),
        ("vllm", RewardModelOptions(model=str(SHIPPED)), "family"),
        ("embedded", RewardModelOptions(calibration=Path("no/file")), "no/file"),
    ],
)
def test_what_is_missing_is_named(name: str, options: RewardModelOptions, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        load_reward_model(name, options)


def test_a_calibration_is_applied(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    fit([0.2, 0.8, 0.9], [0, 0, 1], model="embedded-reward-model").save(file)
    model = load_reward_model("embedded", RewardModelOptions(calibration=file))
    assert isinstance(model, CalibratedRewardModel)
    asyncio.run(model.aclose())


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(RewardModelOptions(api_key="secret"))
