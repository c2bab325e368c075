"""Servers of reward models: how they are reached, and whose fault a refusal is."""

from collections.abc import Sequence

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError
from epf.engines.http.errors import Refused
from epf.engines.http.replicas import Upstream


def connect(urls: Sequence[str], *, api_key: str | None = None, timeout_s: float = 60.0) -> Upstream:
    """Equal servers of one reward model; what fails there is a ``RewardModelError``."""
    return Upstream(urls, RewardModelError, "the reward model", api_key=api_key, timeout_s=timeout_s)


def as_ours(refused: Refused) -> Exception:
    """A refusal as the caller's error where it is the caller's, else as the server's."""
    error = refused.error
    if refused.too_long:
        return ContextTooLong("the trace is longer than the reward model, or its server, takes")
    if refused.status == 400 and error.get("code") == InvalidRequest.code and error.get("param") in ("problem", "steps"):
        return InvalidRequest("the reward model's server refuses this trace", param=error["param"])
    return RewardModelError(f"the reward model's server refused the request with status {refused.status}")
