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
    """Return the server's only model, or the model with this name.

    A server need not list a model that is named: many list none, or under other names. The list is then read for the length of
    the context only.

    Raises:
        GeneratorError: no name is given, and there is no model or there are several to choose from; or no server responds.
    """
    if name is not None:
        known = _listed(await upstream.get_optional("/v1/models"))
        return ServedModel(name, _context_length(known.get(name, {})))
    try:
        known = _listed(await upstream.get("/v1/models"))
    except UpstreamRejected as rejected:
        error = upstream.rejection(rejected, ())
        message = f"{error.message} To use a server that does not list its models, set generator.name (EPF_GENERATOR__NAME)."
        raise GeneratorError(message, retryable=False) from None
    if len(known) != 1:
        listed = f"has the models {', '.join(sorted(known))}. Name one of them" if known else "lists no models. Name its model"
        raise GeneratorError(f"The generator's server {listed} in generator.name (EPF_GENERATOR__NAME).", retryable=False)
    ((only, listing),) = known.items()
    return ServedModel(only, _context_length(listing))


def _listed(answer: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Models by name."""
    models = (answer or {}).get("data")
    return {
        listed["id"]: listed
        for listed in (models if isinstance(models, list) else [])
        if isinstance(listed, dict) and isinstance(listed.get("id"), str)
    }


def _context_length(listing: dict[str, Any]) -> int | None:
    """Length of the context as vLLM lists it, or llama.cpp."""
    meta = listing.get("meta")
    lengths = (
        listing.get("max_model_len"),
        listing.get("context_length"),
        meta.get("n_ctx") if isinstance(meta, dict) else None,
    )
    return next((length for length in lengths if type(length) is int and length > 0), None)
