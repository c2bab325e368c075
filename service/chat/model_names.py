"""Model names: a search method, with its number of particles where it ends in one, or the generator for one plain sample."""

import re
from collections.abc import Iterator
from typing import Any

from epf.core.errors import ModelNotFound
from epf.search.methods import METHODS
from epf.search.methods.sample import SAMPLE

LISTED_PARTICLES = (4, 8, 16, 32)
"""Numbers of particles that the list of models shows; any other up to the server's limit works too."""

METHOD_OF = {name.replace("_", "-"): name for name in METHODS if name != SAMPLE.name}
"""``weighted-best-of-n`` stands for ``weighted_best_of_n``; the plain sample goes by the generator's name."""

_NUMBERED = re.compile(r"(?P<method>.+)-(?P<n_particles>[1-9][0-9]{0,8})")


def options_of(model: str, generator: str, max_particles: int) -> dict[str, Any]:
    """Options of a search, by name, that a model name stands for.

    Raises:
        ModelNotFound: no such model, or more particles than this server allows.
    """
    if model == generator:
        return {"method": SAMPLE.name}
    if model in METHOD_OF:
        return {"method": METHOD_OF[model]}
    numbered = _NUMBERED.fullmatch(model)
    if numbered and numbered["method"] in METHOD_OF and int(numbered["n_particles"]) <= max_particles:
        return {"method": METHOD_OF[numbered["method"]], "n_particles": int(numbered["n_particles"])}
    raise ModelNotFound(f"The model `{model[:100]}` does not exist or you do not have access to it.", param="model")


def listed(generator: str, max_particles: int) -> Iterator[str]:
    """The generator, then each method bare and with the usual numbers of particles."""
    yield generator
    for method in METHOD_OF:
        yield method
        yield from (f"{method}-{n}" for n in LISTED_PARTICLES if n <= max_particles)
