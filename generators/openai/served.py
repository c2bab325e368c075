"""What a server says of the model that it serves."""

from dataclasses import dataclass
from typing import Any

from epf.core.errors import GeneratorError
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream


@dataclass(frozen=True, slots=True)
class Served:
    """A model's name there, and how many tokens its context has, None where the server does not tell."""

    name: str
    context_length: int | None


async def served_by(upstream: Upstream, model: str | None) -> Served:
    """The model of that name, or the only one where none is named.

    Raises:
        GeneratorError: there is no such model, there are several to choose from, or no server tells.
    """
    try:
        answer = await upstream.get("/v1/models")
    except UpstreamRejected as refused:
        raise GeneratorError(f"the generator's server does not tell what it serves: status {refused.status}") from None
    models = answer.get("data")
    known: dict[str, dict[str, Any]] = {
        listed["id"]: listed
        for listed in (models if isinstance(models, list) else [])
        if isinstance(listed, dict) and isinstance(listed.get("id"), str)
    }
    if model is None and len(known) == 1:
        (model,) = known
    if model not in known:
        wanted = "there must be one, or one must be named" if model is None else f"not {model!r}"
        raise GeneratorError(f"the generator's server has the models {', '.join(sorted(known)) or 'none'}: {wanted}")
    length = known[model].get("max_model_len")
    return Served(model, length if type(length) is int and length > 0 else None)
