"""Generators by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from errors import InvalidRequest
from generators.embedded import EmbeddedGenerator
from generators.protocol import Generator

GENERATORS: Mapping[str, Callable[[], Generator]] = MappingProxyType({"embedded": EmbeddedGenerator})


def load_generator(name: str) -> Generator:
    """Make the generator called ``name``; InvalidRequest lists the known names."""
    if name not in GENERATORS:
        raise InvalidRequest(f"unknown generator {name!r}, known are: {', '.join(sorted(GENERATORS))}", param="generator")
    return GENERATORS[name]()
