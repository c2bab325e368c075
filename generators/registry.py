"""Generators by kind."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from epf.core.errors import InvalidRequest
from epf.core.generator import MAX_SYSTEM_PROMPT_CHARS, Generator, Message
from epf.engines.onnx.pairs import DEFAULT_PAIR, embedded_directory
from epf.engines.reference import EMBEDDED, VLLM, ModelKinds
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.examples import read_examples
from epf.generators.prompting import DEFAULT_SYSTEM_PROMPT, PromptingGenerator

PROMPTING = ("system_prompt", "examples")
"""Options of what a generator reads before a conversation; the embedded one was not trained to."""

KINDS = ModelKinds(
    "generator",
    server="openai",
    read={
        EMBEDDED: frozenset({"name"}),
        VLLM: frozenset({"name", "tokenizer", "engine", *PROMPTING}),
        "openai": frozenset({"name", "url", "api_key", "tokenizer", "timeout_s", *PROMPTING}),
    },
)


class GeneratorOptions(BaseModel):
    """Which generator to load; also the ``generator`` table of the service's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str = Field(
        "embedded",
        description="Kind of generator: embedded, vllm (in this process) or openai (servers). By default openai if there is a "
        "url, embedded or vllm by the name if there is one, and else embedded.",
    )
    name: str | None = Field(
        None, description="Name of an embedded pair, directory or hub name of the model; for openai, the name its server uses."
    )
    url: str = Field("", description="Base URL of the generator's server. Separate equivalent servers by commas.")
    api_key: SecretStr | None = Field(None, description="API key for that server.")
    tokenizer: Path | None = Field(
        None, description="Directory or hub name of the tokenizer, if the model's directory or name has none."
    )
    timeout_s: float = Field(60.0, gt=0, description="Maximum wait between chunks of the upstream response, in seconds.")
    engine: dict[str, Any] = Field({}, description="Additional vLLM engine arguments, as JSON.")
    system_prompt: str | None = Field(
        None,
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        description="System prompt of conversations without one. Unset asks for steps and a boxed answer; empty sends none.",
    )
    examples: Path | None = Field(
        None, description="File of solved problems that precede every conversation (JSON Lines with `problem` and `solution`)."
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
        kind = options.get("kind") or KINDS.infer(options) or EMBEDDED
        name = options.get("name") or (DEFAULT_PAIR.name if kind == EMBEDDED else None)
        return {**options, "kind": kind, "name": name}

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs of the equivalent servers."""
        return tuple(url.strip() for url in self.url.split(",") if url.strip())


def load_generator(options: GeneratorOptions | None = None) -> Generator:
    """Load the generator that ``options`` describe, by default the embedded one.

    Blocks, and needs a thread in which no event loop runs.

    Raises:
        InvalidRequest: the kind is unknown, or an option is missing or wrong.
        GeneratorError: no server responds.
    """
    chosen = options or GeneratorOptions()
    if chosen.kind not in GENERATORS:
        message = f"Unknown generator {chosen.kind!r}. Choose one of {', '.join(sorted(GENERATORS))}."
        raise InvalidRequest(message, param="generator")
    examples = () if chosen.examples is None else read_examples(chosen.examples)
    try:
        generator = GENERATORS[chosen.kind](chosen)
    except (ValueError, FileNotFoundError) as error:
        raise InvalidRequest(f"Generator {chosen.kind!r}: {error}", param="generator") from error
    return generator if chosen.kind == EMBEDDED else _prompted(generator, chosen.system_prompt, examples)


def _prompted(generator: Generator, system_prompt: str | None, examples: Sequence[Message]) -> Generator:
    """``generator`` with what it reads before each conversation; it is closed if that does not fit into its context."""
    prompted = PromptingGenerator(generator, DEFAULT_SYSTEM_PROMPT if system_prompt is None else system_prompt, examples)
    try:
        prompted.check_room()
    except BaseException:
        asyncio.run(generator.aclose())
        raise
    return prompted


def _embedded(options: GeneratorOptions) -> Generator:
    return EmbeddedGenerator(embedded_directory(options.name, "generator"))


def _vllm(options: GeneratorOptions) -> Generator:
    if not options.name:
        raise InvalidRequest("Generator 'vllm' requires the option `name`.", param="generator")
    from epf.generators.vllm import load_vllm

    return load_vllm(options.name, tokenizer=options.tokenizer, **options.engine)


def _openai(options: GeneratorOptions) -> Generator:
    if not options.urls:
        raise InvalidRequest("Generator 'openai' requires the option `url`.", param="generator")
    from epf.generators.servers import load_server

    return load_server(
        options.urls,
        model=options.name,
        tokenizer=options.tokenizer,
        api_key=options.api_key.get_secret_value() if options.api_key else None,
        timeout_s=options.timeout_s,
    )


GENERATORS: Mapping[str, Callable[[GeneratorOptions], Generator]] = MappingProxyType(
    {"embedded": _embedded, "openai": _openai, "vllm": _vllm}
)
