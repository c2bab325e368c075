"""What an operator may choose, from the environment (``EPF_...``) or a TOML file named by ``EPF_SETTINGS``."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from epf.service.http.middleware.keys import digests_only
from epf.service.solve.schemas import SearchOptions


class SearchDefaults(SearchOptions):
    """Options of a search where the caller names none; a field left out keeps the search's own default."""

    model_config = ConfigDict(strict=False)


class Settings(BaseSettings):
    """Settings of one server. The environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="EPF_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    generator: str = Field("embedded", description="Generator by name: embedded, vllm (in this process) or openai (servers).")
    generator_name: str | None = Field(None, description="Directory or hub name of the model; what its server calls it.")
    generator_url: str = Field("", description="Address of the generator's server; commas between equal servers.")
    generator_api_key: SecretStr | None = Field(None, description="Key for that server.")
    generator_tokenizer: Path | None = Field(None, description="Directory or hub name of its tokenizer, if it has none.")
    generator_timeout_s: float = Field(60.0, gt=0, description="The next part of that server's answer must come in this time.")
    generator_engine: dict[str, Any] = Field({}, description="Further arguments of vLLM's engine, as JSON.")
    reward_model: str = Field("embedded", description="Reward model by name: embedded, vllm (in this process) or http.")
    reward_model_name: str | None = Field(None, description="Directory or name of the model; what its server calls it.")
    reward_model_family: str | None = Field(None, description="How that model is asked; none is a server of epf serve-prm.")
    reward_model_url: str = Field("", description="Address of the reward model's server; commas between equal servers.")
    reward_model_api_key: SecretStr | None = Field(None, description="Key for that server.")
    reward_model_tokenizer: Path | None = Field(
        None, description="Directory or hub name of its tokenizer, if the name has none."
    )
    reward_model_timeout_s: float = Field(60.0, gt=0, description="Time for one try of one request to that server.")
    reward_model_engine: dict[str, Any] = Field({}, description="Further arguments of vLLM's engine, as JSON.")
    calibration: Path | None = Field(None, description="File of a calibration for the reward model.")
    api_keys: Annotated[dict[str, SecretStr], AfterValidator(digests_only)] = Field(
        {}, description="Name of each caller and its key, or sha256:DIGEST of the key; only the digest is kept."
    )
    allow_anonymous: bool = Field(False, description="Without keys, answer callers from other machines too.")
    search: SearchDefaults = Field(SearchDefaults(), description="Options of a search where the caller names none.")
    max_body_bytes: int = Field(256 * 1024, ge=1, description="Longest request body.")
    max_problem_chars: int = Field(20_000, ge=1, description="Longest problem, and longest message of a chat.")
    max_messages: int = Field(64, ge=1, description="Most messages of a chat.")
    max_batch: int = Field(64, ge=1, description="Most problems of one batch.")
    max_particles: int = Field(128, ge=1, description="Most particles of one request, choices together.")
    max_steps: int = Field(200, ge=1, description="Most steps of one particle.")
    max_tokens_per_step: int = Field(2048, ge=1, description="Most tokens of one step.")
    max_tokens_per_request: int = Field(
        2**20, ge=1, description="Most tokens that one request, or problem of a batch, could generate at worst."
    )
    max_seconds: float = Field(300.0, gt=0, description="Deadline of a request that names none, and the longest it may name.")
    max_particles_in_flight: int = Field(256, ge=1, description="Most particles that search at the same time.")
    max_particles_queued: int = Field(512, ge=0, description="Most particles that wait for their turn.")
    max_particles_per_key: int = Field(256, ge=1, description="Most particles of one caller, searching and waiting.")
    max_entropy_body_bytes: int = Field(16 * 1024 * 1024, ge=1, description="Longest request body of an entropy tool.")
    max_entropy_workers: int = Field(2, ge=1, description="Most processes that compute for entropy tools.")
    max_entropy_waiting: int = Field(16, ge=0, description="Most requests that wait for such a process.")
    max_entropy_seconds: float = Field(60.0, gt=0, description="Deadline of a request to an entropy tool.")
    keep_alive_s: float = Field(10.0, gt=0, description="A comment goes out after so many quiet seconds of a stream.")
    send_timeout_s: float = Field(60.0, gt=0, description="A client that takes nothing for so many seconds has gone away.")
    body_timeout_s: float = Field(30.0, gt=0, description="A request body must be there within so many seconds.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    drain_notice_s: float = Field(5.0, ge=0, description="After SIGTERM, seconds in which new requests are still taken.")
    drain_s: float = Field(30.0, ge=0, description="Then, seconds for what is under way.")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *sources: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller passes, then the environment, then the file."""
        file = TomlConfigSettingsSource(settings_cls, os.environ.get("EPF_SETTINGS"))
        return init_settings, named["env_settings"], file
