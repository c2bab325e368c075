"""Generators by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.generator import Generator
from epf.generators.embedded import EmbeddedGenerator


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """What an operator may choose about a generator.

    Attributes:
        model: its name or directory; what a server calls it.
        urls: base addresses of equal servers.
        api_key: of those servers.
        tokenizer: directory or hub name of the tokenizer's files, where ``model`` has none.
        timeout_s: in which the next part of a server's answer must be there.
        engine: further arguments of vLLM's engine.
    """

    model: str | None = None
    urls: tuple[str, ...] = ()
    api_key: str | None = field(default=None, repr=False)
    tokenizer: Path | None = None
    timeout_s: float = 60.0
    engine: Mapping[str, Any] = field(default_factory=dict)


def load_generator(name: str, options: GeneratorOptions | None = None) -> Generator:
    """Make the generator called ``name``. Blocks, and needs a thread in which no event loop runs.

    Raises:
        InvalidRequest: the name is not known, or an option is missing or wrong.
        GeneratorError: no server answers.
    """
    if name not in GENERATORS:
        raise InvalidRequest(f"unknown generator {name!r}, known are: {', '.join(sorted(GENERATORS))}", param="generator")
    try:
        return GENERATORS[name](options or GeneratorOptions())
    except (ValueError, FileNotFoundError) as error:
        raise InvalidRequest(f"generator {name!r}: {error}", param="generator") from error


def _embedded(options: GeneratorOptions) -> Generator:
    return EmbeddedGenerator(options.model) if options.model else EmbeddedGenerator()


def _vllm(options: GeneratorOptions) -> Generator:
    if not options.model:
        raise InvalidRequest("generator 'vllm' needs the option model", param="generator")
    from epf.generators.vllm import load_vllm

    return load_vllm(options.model, tokenizer=options.tokenizer, **options.engine)


def _openai(options: GeneratorOptions) -> Generator:
    if not options.urls:
        raise InvalidRequest("generator 'openai' needs the option urls", param="generator")
    from epf.generators.openai.generator import load_openai

    return load_openai(
        options.urls,
        model=options.model,
        tokenizer=options.tokenizer,
        api_key=options.api_key,
        timeout_s=options.timeout_s,
    )


GENERATORS: Mapping[str, Callable[[GeneratorOptions], Generator]] = MappingProxyType(
    {"embedded": _embedded, "openai": _openai, "vllm": _vllm}
)
