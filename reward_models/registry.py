"""Reward models by kind."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from epf.core.errors import InvalidRequest
from epf.core.reward_model import RewardModel
from epf.engines.onnx.pairs import embedded_directory
from epf.engines.reference import EMBEDDED, NONE, REFERENCE, VLLM, ModelKinds
from epf.reward_models.calibration import CalibratedRewardModel, Calibration
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.families.registry import family_of
from epf.reward_models.product import ProductRewardModel

KINDS = ModelKinds(
    "reward_model",
    server="http",
    read={
        NONE: frozenset(),
        EMBEDDED: frozenset({"name", "calibration", "also"}),
        VLLM: frozenset({"name", "family", "tokenizer", "calibration", "engine", "also"}),
        "http": frozenset({"name", "family", "url", "api_key", "tokenizer", "timeout_s", "calibration", "also"}),
    },
)


class RewardModelOptions(BaseModel):
    """Which reward model to load; also the ``reward_model`` table of the service's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str | None = Field(
        None,
        description="Kind of reward model: none, embedded, vllm (in this process) or http (servers). By default http if there "
        "is a url, embedded or vllm by the name if there is one, and else that of the generator's pair, or none.",
    )
    name: str | None = Field(
        None, description="Name of an embedded pair, directory or hub name of the model; for http, the name its server uses."
    )
    family: str | None = Field(None, description="PRM family (prompt format). Leave empty for an `epf serve-prm` server.")
    url: str = Field("", description="Base URL of the reward model's server. Separate equivalent servers by commas.")
    api_key: SecretStr | None = Field(None, description="API key for that server.")
    tokenizer: Path | None = Field(
        None, description="Directory or hub name of the tokenizer, if the model's directory or name has none."
    )
    timeout_s: float = Field(60.0, gt=0, description="Timeout of one attempt of a request to that server, in seconds.")
    calibration: Path | None = Field(None, description="Calibration file for the reward model.")
    engine: dict[str, Any] = Field({}, description="Additional vLLM engine arguments, as JSON.")
    also: tuple["RewardModelOptions", ...] = Field(
        (),
        description="More reward models, whose odds are multiplied with those of this one: a JSON list of references such as "
        '["http://localhost:8003"], or of tables such as this one.',
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        KINDS.check(self)
        return self

    @model_validator(mode="before")
    @classmethod
    def _infer_kind(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        options = KINDS.expand(given, cls.model_fields)
        return {**options, "kind": options.get("kind") or KINDS.infer(options)}

    @field_validator("also", mode="before")
    @classmethod
    def _read_references(cls, given: Any) -> Any:
        if not isinstance(given, Sequence) or isinstance(given, str):
            message = 'reward_model.also: write a list, such as ["http://localhost:8003"].'
            raise InvalidRequest(message, param="reward_model.also")
        items = [{REFERENCE: each} if isinstance(each, str) else each for each in given]
        for number, item in enumerate(items, 1):
            try:
                with suppress(ValidationError):  # it is raised again, with its place
                    cls.model_validate(item)
            except InvalidRequest as error:
                message = f"reward_model.also, item {number}: {error.message}"
                raise InvalidRequest(message, param="reward_model.also") from None
        return items

    @field_validator("also")
    @classmethod
    def _check_more(cls, more: tuple["RewardModelOptions", ...]) -> tuple["RewardModelOptions", ...]:
        for each in more:
            if each.kind in (None, NONE) or each.also:
                message = "reward_model.also: each item must name one reward model, as a reference (an address, a directory, a "
                message += "name) or as a table with its name or url; none and further lists have no place in it."
                raise InvalidRequest(message, param="reward_model.also")
        return more

    @property
    def all(self) -> tuple["RewardModelOptions", ...]:
        """Options of each reward model on its own: this one, then the others."""
        return (self.model_copy(update={"also": ()}), *self.also)

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs of the equivalent servers."""
        return tuple(url.strip() for url in self.url.split(",") if url.strip())


def load_reward_model(options: RewardModelOptions | None = None) -> RewardModel:
    """Load the reward model that ``options`` describe, by default the embedded one; several as their product.

    Blocks, and needs a thread in which no event loop runs.

    Raises:
        InvalidRequest: the kind is unknown or none, or an option is missing or wrong.
        RewardModelError: no server responds, or it refuses the key.
    """
    chosen = options or RewardModelOptions()
    if chosen.also:
        check_different(chosen.all)
        return ProductRewardModel([load_reward_model(each) for each in chosen.all])
    name = chosen.kind or EMBEDDED
    if name == NONE:
        raise InvalidRequest(
            "There is no reward model: name one with --reward-model or EPF_REWARD_MODEL.", param="reward_model"
        )
    if name not in REWARD_MODELS:
        message = f"Unknown reward model {name!r}. Choose one of {', '.join(sorted(REWARD_MODELS))}."
        raise InvalidRequest(message, param="reward_model")
    try:
        calibration = Calibration.load(chosen.calibration) if chosen.calibration else None
        reward_model = REWARD_MODELS[name](chosen)
        return CalibratedRewardModel(reward_model, calibration) if calibration else reward_model
    except (ValueError, FileNotFoundError) as error:
        raise InvalidRequest(f"Reward model {name!r}: {error}", param="reward_model") from error


def check_different(options: Sequence[RewardModelOptions]) -> None:
    """Raise ``InvalidRequest`` if two of several reward models are one: its mistakes would count twice."""
    for i, each in enumerate(options):
        if each in options[:i]:
            what = each.name or each.url
            raise InvalidRequest(f"The reward model {what} is named twice: leave one of them out.", param="reward_model")


def _embedded(options: RewardModelOptions) -> RewardModel:
    return EmbeddedRewardModel(embedded_directory(options.name, "reward_model"))


def _vllm(options: RewardModelOptions) -> RewardModel:
    from epf.reward_models.vllm import load_vllm

    model = _needed(options, "name")
    family = options.family or family_of(model) or _needed(options, "family")
    return load_vllm(model, family, tokenizer=options.tokenizer, **options.engine)


def _http(options: RewardModelOptions) -> RewardModel:
    from epf.reward_models.discovery import ServedRewardModel, find_reward_model
    from epf.reward_models.http import HttpRewardModel, connect
    from epf.reward_models.judge import PROMPTS, ChatJudge
    from epf.reward_models.opening import open_family

    _needed(options, "url")
    key = options.api_key.get_secret_value() if options.api_key else None

    async def discover() -> ServedRewardModel:
        async with aclosing(connect(options.urls, api_key=key)) as upstream:
            await upstream.loaded()
            return await find_reward_model(upstream, options.name, options.family)

    served = asyncio.run(discover())
    upstream = connect(options.urls, api_key=key, timeout_s=options.timeout_s)
    if served.family is None:
        return HttpRewardModel(upstream, options.name or served.name)
    if served.family in PROMPTS:
        return ChatJudge(upstream, served.name, served.family)
    return open_family(upstream, served.family, served.name, options.tokenizer)


def _needed(options: RewardModelOptions, name: str) -> str:
    value = getattr(options, name)
    if not value:
        raise InvalidRequest(f"Reward model {options.kind!r} requires the option `{name}`.", param="reward_model")
    return str(value)


REWARD_MODELS: Mapping[str, Callable[[RewardModelOptions], RewardModel]] = MappingProxyType(
    {"embedded": _embedded, "http": _http, "vllm": _vllm}
)
