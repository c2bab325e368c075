"""Finds out which model a server serves."""

from dataclasses import dataclass
from typing import Any

from epf.core.errors import GeneratorError
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Name of a model on its server, and the length of its context in tokens, None if the server does not report it."""

    name: str
    context_length: int | None


async def find_model(upstream: Upstream, name: str | None) -> ServedModel:
    """Return the model with this name, or the server's only model if no name is given.

    Raises:
        GeneratorError: there is no such model, there are several to choose from, or no server responds.
    """
    try:
        answer = await upstream.get("/v1/models")
    except UpstreamRejected as rejected:
        raise GeneratorError(f"The generator's server does not list its models (status {rejected.status}).") from None
    models = answer.get("data")
    known: dict[str, dict[str, Any]] = {
        listed["id"]: listed
        for listed in (models if isinstance(models, list) else [])
        if isinstance(listed, dict) and isinstance(listed.get("id"), str)
    }
    if name is None and len(known) == 1:
        (name,) = known
    if name not in known:
        if not known:
            raise GeneratorError("The generator's server lists no models.")
        wanted = "Name one of them in generator.name." if name is None else f"{name!r} is not one of them."
        raise GeneratorError(f"The generator's server has the models {', '.join(sorted(known))}. {wanted}")
    length = known[name].get("max_model_len")
    return ServedModel(name, length if type(length) is int and length > 0 else None)
