"""The list of models of a server, the first question: it shows whether the server responds and accepts the key."""

from typing import Any

from epf.core.errors import SearchServiceError
from epf.engines.http.errors import NotJson, RetryableError, UpstreamRejected
from epf.engines.http.replicas import Upstream

MODELS = "/v1/models"

KEY_REFUSED = 401
"""A key that may not list models (403) may still be allowed to use one; a key that is refused is of no use."""


async def listed_models(upstream: Upstream, *, required: bool, advice: str = "") -> dict[str, dict[str, Any]]:
    """Return the models of a server by name.

    Args:
        upstream: the servers.
        required: whether there is no use for a server without a list. Else such a server has no models.
        advice: added to the error of a server that has no list.

    Raises:
        SearchServiceError: no server can be reached, it refuses the key, or its response is no JSON object; or it has no list,
            and one is required.
    """
    try:
        answer = await upstream.ask(MODELS)
    except UpstreamRejected as rejected:
        refused_key = rejected.refusal.status == KEY_REFUSED
        if not required and not refused_key:
            return {}
        error = upstream.rejection(rejected, logged=False)
        raise type(error)(error.message + ("" if refused_key else advice), retryable=False) from None
    except SearchServiceError as error:
        failure = error.__cause__
        if isinstance(failure, NotJson):
            advice = " Is another service there? Give the address of an OpenAI-compatible API."
            raise type(error)(error.message + advice, retryable=False) from failure
        if required or not isinstance(failure, RetryableError) or failure.unreachable:
            raise
        return {}
    models = answer.get("data")
    return {
        listed["id"]: listed
        for listed in (models if isinstance(models, list) else [])
        if isinstance(listed, dict) and isinstance(listed.get("id"), str)
    }
