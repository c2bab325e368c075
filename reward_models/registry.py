"""Reward models by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.reward_model import RewardModel
from epf.engines.hub import model_directory
from epf.reward_models.calibration import CalibratedRewardModel, Calibration
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.families.registry import FAMILIES, load_family


@dataclass(frozen=True, slots=True)
class RewardModelOptions:
    """What an operator may choose about a reward model.

    Attributes:
        model: its name or directory; what a server calls it.
        family: how it is asked: a name in ``FAMILIES`` or, for ``http``, in ``PROMPTS``. None is our own scoring server.
        urls: base addresses of equal servers.
        api_key: of those servers.
        tokenizer: directory or hub name of the tokenizer's files, where ``model`` has none.
        timeout_s: of one try of one request.
        calibration: file of a calibration for this model.
        engine: further arguments of vLLM's engine.
    """

    model: str | None = None
    family: str | None = None
    urls: tuple[str, ...] = ()
    api_key: str | None = field(default=None, repr=False)
    tokenizer: Path | None = None
    timeout_s: float = 60.0
    calibration: Path | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)


def load_reward_model(name: str, options: RewardModelOptions | None = None) -> RewardModel:
    """Make the reward model called ``name``; InvalidRequest lists the known names, or says which option is missing or wrong."""
    if name not in REWARD_MODELS:
        known = ", ".join(sorted(REWARD_MODELS))
        raise InvalidRequest(f"unknown reward model {name!r}, known are: {known}", param="reward_model")
    chosen = options or RewardModelOptions()
    try:
        calibration = Calibration.load(chosen.calibration) if chosen.calibration else None
        reward_model = REWARD_MODELS[name](chosen)
        return CalibratedRewardModel(reward_model, calibration) if calibration else reward_model
    except (ValueError, FileNotFoundError) as error:
        raise InvalidRequest(f"reward model {name!r}: {error}", param="reward_model") from error


def _embedded(options: RewardModelOptions) -> RewardModel:
    return EmbeddedRewardModel(options.model) if options.model else EmbeddedRewardModel()


def _vllm(options: RewardModelOptions) -> RewardModel:
    from epf.reward_models.vllm import load_vllm

    model, family = _needed(options, "model"), _needed(options, "family")
    return load_vllm(model, family, tokenizer=options.tokenizer, **options.engine)


def _http(options: RewardModelOptions) -> RewardModel:
    from epf.reward_models.http import HttpRewardModel, VllmServerPool
    from epf.reward_models.judge import PROMPTS, ChatJudge
    from epf.reward_models.pooled import PooledRewardModel
    from epf.reward_models.servers import connect

    _needed(options, "urls")
    upstream = connect(options.urls, api_key=options.api_key, timeout_s=options.timeout_s)
    if options.family is None:
        return HttpRewardModel(upstream, options.model or "http")
    model = _needed(options, "model")
    if options.family in PROMPTS:
        return ChatJudge(upstream, model, options.family)
    if options.family not in FAMILIES:
        known = ", ".join(sorted((*FAMILIES, *PROMPTS)))
        raise InvalidRequest(f"unknown family {options.family!r} of reward models, known are: {known}", param="family")
    setting = "reward_model_tokenizer" if options.tokenizer else "reward_model_name"
    family = load_family(options.family, model_directory(options.tokenizer or model, setting=setting))
    return PooledRewardModel(VllmServerPool(upstream, family, model), family, model)


def _needed(options: RewardModelOptions, name: str) -> str:
    value = getattr(options, name)
    if not value:
        raise InvalidRequest(f"this reward model needs the option {name}", param="reward_model")
    return str(value)


REWARD_MODELS: Mapping[str, Callable[[RewardModelOptions], RewardModel]] = MappingProxyType(
    {"embedded": _embedded, "http": _http, "vllm": _vllm}
)
