"""Finds out which model a server serves, and what kind of server it is."""

from dataclasses import dataclass, replace
from typing import Any

from epf.core.errors import GeneratorError
from epf.engines.http.kinds import ServerKind, find_kind
from epf.engines.http.models import listed_models
from epf.engines.http.replicas import Upstream
from epf.generators.openai.contexts import context_length, listed_context


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model on its server.

    Attributes:
        name: as requests name it.
        context_length: number of tokens of prompt and continuation together; None if the server does not report it.
        server: kind of server.
        source: directory or hub name that the server loaded the model from, if it says so.
    """

    name: str
    context_length: int | None
    server: ServerKind = "other"
    source: str | None = None


async def find_model(upstream: Upstream, name: str | None) -> ServedModel:
    """Return the server's only model, or the model with this name.

    A server need not list a model that is named: many list none, or under other names. The list is then read for the length of
    the context and the kind of server only. Whatever else is asked is optional: a server that refuses it is still of use.

    Raises:
        GeneratorError: no name is given, and there is no model or there are several to choose from; or no server responds.
    """
    advice = " To use a server that does not list its models, set generator.name (EPF_GENERATOR__NAME)."
    known = await listed_models(upstream, required=name is None, advice=advice)
    if name is not None:
        return await _described(upstream, ServedModel(name, None), known.get(name, {}))
    if len(known) != 1:
        listed = f"has the models {', '.join(sorted(known))}. Name one of them" if known else "lists no models. Name its model"
        raise GeneratorError(f"The generator's server {listed} in generator.name (EPF_GENERATOR__NAME).", retryable=False)
    ((only, listing),) = known.items()
    return await _described(upstream, ServedModel(only, None), listing)


async def _described(upstream: Upstream, model: ServedModel, listing: dict[str, Any]) -> ServedModel:
    """``model`` with what its server says of it."""
    owner, root = listing.get("owned_by"), listing.get("root")
    kind = await find_kind(upstream, owner if isinstance(owner, str) else "")
    length = listed_context(listing) or await context_length(upstream, kind, model.name)
    return replace(model, context_length=length, server=kind, source=root if isinstance(root, str) and root else None)
