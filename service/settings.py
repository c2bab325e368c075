"""Settings of a server, from the environment (``EPF_...``) or a TOML file named by ``EPF_SETTINGS``."""

import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from epf.core.errors import InvalidRequest
from epf.core.sessions import HEADERS
from epf.engines.reference import REFERENCE, ModelKinds
from epf.generators import registry as generators
from epf.generators.registry import GeneratorOptions
from epf.reward_models import registry as reward_models
from epf.reward_models.registry import RewardModelOptions
from epf.search.options import SearchOptions
from epf.search.pair import Pair, paired
from epf.search.profile.file import load_profile
from epf.search.profile.profile import Profile
from epf.search.profile.shipped import shipped_profile
from epf.service.access.digests import digests_only
from epf.service.access.limits import Limits
from epf.service.effort import EffortParticles
from epf.service.names import Hosts, Origins
from epf.service.store_limits import StoreLimits

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "generator_name": "generator.name",
        "generator_url": "generator.url",
        "generator_api_key": "generator.api_key",
        "generator_tokenizer": "generator.tokenizer",
        "generator_timeout_s": "generator.timeout_s",
        "generator_engine": "generator.engine",
        "reward_model_name": "reward_model.name",
        "reward_model_family": "reward_model.family",
        "reward_model_url": "reward_model.url",
        "reward_model_api_key": "reward_model.api_key",
        "reward_model_tokenizer": "reward_model.tokenizer",
        "reward_model_timeout_s": "reward_model.timeout_s",
        "reward_model_engine": "reward_model.engine",
        "calibration": "reward_model.calibration",
    }
)
"""Settings that have a new name. The old one is refused with a message that gives the new one."""

KINDS: Mapping[str, tuple[ModelKinds, type[BaseModel]]] = MappingProxyType(
    {"generator": (generators.KINDS, GeneratorOptions), "reward_model": (reward_models.KINDS, RewardModelOptions)}
)
"""Kinds and options of each model."""


NO_PROFILE: Final = "none"
"""What the setting has where not even the profile of an embedded pair is wanted."""


def _read_profile(value: Any) -> Any:
    """The profile in the file that a setting names."""
    return load_profile(Path(value)) if isinstance(value, str | Path) and value != NO_PROFILE else value


LearnedProfile = Annotated[InstanceOf[Profile] | Literal["none"] | None, BeforeValidator(_read_profile), NoDecode]
"""A profile, read from the file that is named."""


class _Environment(EnvSettingsSource):
    """The environment, in which a model's variable holds a reference or, as JSON, the table of its options."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read a reference, to which the model's other variables are added, or JSON."""
        if field_name in KINDS and not str(value).lstrip().startswith("{"):
            return {REFERENCE: value}
        return super().decode_complex_value(field_name, field, value)


class _References(PydanticBaseSettingsSource):
    """A source in which the references to models are replaced by what they stand for, so that later sources can override it."""

    def __init__(self, settings_cls: type[BaseSettings], source: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._source = source

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not called: the values come from the source as a whole."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """All values of the source."""
        values = self._source()
        for option, (kinds, model) in KINDS.items():
            given = values.get(option)
            table = {REFERENCE: given} if isinstance(given, str) else given
            if isinstance(table, Mapping):
                values[option] = kinds.expand(table, model.model_fields)
        return values


class SearchDefaults(SearchOptions):
    """Default search options, used where a request does not set them; an unset field keeps the search's own default."""

    model_config = ConfigDict(strict=False)


class Settings(BaseSettings):
    """Settings of one server. The environment overrides the file."""

    model_config = SettingsConfigDict(
        env_prefix="EPF_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    generator: GeneratorOptions = Field(GeneratorOptions(), description="The generator.")
    reward_model: RewardModelOptions = Field(RewardModelOptions(), description="The reward model.")
    confidence: Path | None = Field(
        None, description="Confidence map for these models, written by `epf calibrate`. The embedded pairs have their own."
    )
    profile: LearnedProfile = Field(
        None,
        description="Profile of these models, written by `epf tune`: defaults for the options of epf, and a confidence map. "
        "Options that are set elsewhere win, and so does EPF_CONFIDENCE. An embedded pair may have its own, which none leaves "
        "out.",
    )
    api_keys: Annotated[dict[str, SecretStr], AfterValidator(digests_only)] = Field(
        {}, description="Caller names and their API keys, in plain text or as sha256:DIGEST. Only digests are kept."
    )
    api_keys_file: Path | None = Field(
        None, description="File of further callers with their keys and limits, in TOML or JSON. A change applies at once."
    )
    max_requests_per_minute: int | None = Field(
        None,
        ge=1,
        description="Maximum number of requests of one caller per minute; no limit by default. The keys file may set another.",
    )
    max_tokens_per_minute: int | None = Field(
        None,
        ge=1,
        description="Maximum number of tokens of one caller per minute, prompts and all that was sampled together; no limit by "
        "default. The keys file may set another.",
    )
    allow_anonymous: bool = Field(False, description="Accept callers from other machines even if there are no API keys.")
    allowed_origins: Origins = Field(
        (),
        description="Origins whose web pages may use the server, such as https://chat.example.org, separated by commas; "
        "* allows every origin.",
    )
    allowed_hosts: Hosts = Field(
        (),
        description="Host names that requests may be sent to, separated by commas. IP addresses always work. Empty allows all.",
    )
    search: SearchDefaults = Field(
        SearchDefaults(), description="Default search options, used where a request does not set them."
    )
    effort: EffortParticles = Field(
        EffortParticles(), description="Number of particles of each reasoning effort of the OpenAI API."
    )
    max_body_bytes: int = Field(256 * 1024, ge=1, description="Maximum size of a request body, in bytes.")
    max_bodies_bytes: int = Field(
        256 * 1024 * 1024, ge=1, description="Maximum size of the bodies of all current requests together, in bytes."
    )
    max_problem_chars: int = Field(
        20_000, ge=1, description="Maximum length of a problem and of a chat message, in characters."
    )
    max_step_chars: int = Field(100_000, ge=1, description="Maximum length of a step that is sent to be scored, in characters.")
    max_solution_chars: int = Field(
        200_000, ge=1, description="Maximum length of all steps of a solution that is sent to be scored, in characters."
    )
    max_messages: int = Field(64, ge=1, description="Maximum number of messages in a chat request.")
    max_batch: int = Field(64, ge=1, description="Maximum number of problems in a batch.")
    max_particles: int = Field(128, ge=1, description="Maximum number of particles in one request, over all its choices.")
    max_steps: int = Field(200, ge=1, description="Maximum number of steps of one particle.")
    max_tokens_per_step: int = Field(2048, ge=1, description="Maximum number of tokens in one step.")
    max_tokens_per_request: int = Field(
        2**20,
        ge=1,
        description="Maximum number of tokens that a request, or one problem of a batch, may generate. A search ends there "
        "with its best answer so far; a request whose own limits allow its particles more is refused. Steps that run ahead "
        "and that nobody takes come on top.",
    )
    max_seconds: float = Field(300.0, gt=0, description="Default and maximum deadline of a request, in seconds.")
    max_particles_in_flight: int = Field(256, ge=1, description="Maximum number of particles that search at the same time.")
    max_particles_queued: int = Field(512, ge=0, description="Maximum number of particles in the queue.")
    max_particles_per_key: int = Field(256, ge=1, description="Maximum number of particles of one caller, running and queued.")
    max_entropy_body_bytes: int = Field(
        16 * 1024 * 1024, ge=1, description="Maximum size of a request body for an entropy tool, in bytes."
    )
    max_entropy_workers: int = Field(2, ge=1, description="Maximum number of worker processes for entropy tools.")
    max_entropy_waiting: int = Field(16, ge=0, description="Maximum number of requests that wait for an entropy worker.")
    max_entropy_seconds: float = Field(60.0, gt=0, description="Deadline of a request to an entropy tool, in seconds.")
    max_stored_responses: int = Field(1000, ge=0, description="Maximum number of stored responses of /v1/responses.")
    max_stored_bytes: int = Field(64 * 1024 * 1024, ge=0, description="Maximum size of all stored responses, in bytes.")
    max_stored_seconds: float = Field(3600.0, gt=0, description="Time for which a response is stored, in seconds.")
    store: Path | None = Field(
        None,
        description="SQLite file in which ended searches are kept, with their problems, for their callers to read again. Unset "
        "keeps nothing.",
    )
    store_limits: StoreLimits = Field(StoreLimits(), description="Limits of what that file holds.")
    session_headers: tuple[Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,64}$")], ...] = Field(
        HEADERS,
        max_length=8,
        description="Headers in which requests to the models' servers carry the id of their search, for routers.",
    )
    keep_alive_s: float = Field(10.0, gt=0, description="Send an SSE keep-alive comment after this many idle seconds.")
    send_timeout_s: float = Field(
        60.0, gt=0, description="Treat a client that reads nothing for this many seconds as disconnected."
    )
    body_timeout_s: float = Field(30.0, gt=0, description="Maximum time for a request body to arrive, in seconds.")
    head_timeout_s: float = Field(30.0, gt=0, description="Maximum time for the head of a request to arrive, in seconds.")
    idle_timeout_s: float = Field(75.0, gt=0, description="Close a connection without a request after this time, in seconds.")
    max_head_bytes: int = Field(32 * 1024, ge=1024, description="Maximum size of the head of a request, in bytes.")
    max_connections: int = Field(
        2048,
        ge=1,
        description="Maximum number of open connections, and never more than half of the files that the process may open "
        "(ulimit -n). A few of them serve probes only.",
    )
    max_connections_per_address: int | None = Field(
        None,
        ge=1,
        description="Maximum number of open connections of one IP address, or of one IPv6 network of 64 bits. Unset means no "
        "limit, which a reverse proxy needs, since all connections come from its address.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest log level to write.")
    drain_notice_s: float = Field(
        5.0, ge=0, description="Time after SIGTERM during which new requests are still accepted, in seconds."
    )
    drain_s: float = Field(30.0, ge=0, description="Time after that for running requests to finish, in seconds.")

    @property
    def limits(self) -> Limits:
        """Limits per minute of a caller who has no own ones."""
        return Limits(self.max_requests_per_minute, self.max_tokens_per_minute)

    @property
    def has_reward_model(self) -> bool:
        """Whether there is a reward model for this generator."""
        return self.models.has_reward_model

    @property
    def learned(self) -> Profile | None:
        """The profile that is named, or the one that ships with an embedded pair, or None."""
        return (self.profile or shipped_profile(self.models)) if self.profile != NO_PROFILE else None

    @property
    def models(self) -> Pair:
        """Both models, of which the reward model may be none."""
        return paired(self.generator, self.reward_model)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *sources: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller passes, then the environment, then the file.

        Raises:
            InvalidRequest: the environment or the file uses the old name of a setting.
        """
        file = TomlConfigSettingsSource(settings_cls, os.environ.get("EPF_SETTINGS"))
        _check_names(os.environ, file.toml_data)
        return tuple(_References(settings_cls, source) for source in (init_settings, _Environment(settings_cls), file))


def _check_names(environment: Mapping[str, str], file: Mapping[str, Any]) -> None:
    values = {name.upper(): value for name, value in environment.items()}
    for old, new in RENAMED.items():
        variable = f"EPF_{old.upper()}"
        if variable in values:
            message = f"{variable} is now EPF_{new.upper().replace('.', '__')}: rename the variable"
        elif old in file and not isinstance(file[old], Mapping):
            message = f"`{old}` in the settings file is now `{new}`: rename it"
        else:
            continue
        raise InvalidRequest(message, param=old)


def unknown_variables(names: Iterable[str]) -> Iterator[str]:
    """A message for each name that begins like a setting's but is not one, with the closest match."""
    known = ["SETTINGS", *(name.upper() for name in Settings.model_fields)]
    renamed = [name.upper() for name in RENAMED]
    tables = [name.upper() for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel | dict)]
    for variable in sorted(names):
        prefix, _, rest = variable.upper().partition("_")
        name, *inside = rest.split("__", 1)
        if prefix == "EPF" and rest and name not in known and rest not in renamed:
            closest = [f"{table}__{name[len(table) + 1 :]}" for table in tables if name.startswith(f"{table}_")]
            closest += ["__".join([match, *inside]) for match in get_close_matches(name, known, n=1, cutoff=0.8)]
            yield f"{variable} is not a setting and is ignored" + (f"; did you mean EPF_{closest[0]}?" if closest else "")
