"""Reward models behind HTTP: the connection to their servers, and the client of ``epf serve-prm``."""

from collections.abc import Iterable, Sequence
from typing import Any

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError, SearchServiceError
from epf.core.reward_model import Score
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.numbers import is_number
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.reward_models.base import SharedRewardModel

RESERVE = 0.5
"""Part of a search's time that calls leave for going on without scores, where no server of the reward model is well."""


def connect(urls: Sequence[str], *, api_key: str | None = None, timeout_s: float = 60.0) -> Upstream:
    """Connect to equivalent servers of one reward model; their failures raise ``RewardModelError``."""
    return Upstream(urls, RewardModelError, "the reward model", api_key=api_key, timeout_s=timeout_s, reserve=RESERVE)


def error_of(rejected: UpstreamRejected, upstream: Upstream, private: Iterable[str]) -> SearchServiceError:
    """Return the error to raise for a rejected request: the caller's if the trace is at fault, else the reward model's.

    ``private`` are the texts of the request, which the error does not repeat.
    """
    refusal = rejected.refusal
    if refusal.too_long:
        return ContextTooLong("The trace is longer than the reward model or its server accepts.")
    if refusal.status == 400 and refusal.code == InvalidRequest.code and refusal.param in ("problem", "steps"):
        return InvalidRequest("The reward model's server rejected this trace.", param=refusal.param)
    return upstream.rejection(rejected, private)


def no_log_probs(upstream: Upstream, family: str) -> RewardModelError:
    """Return the error for a server that returns none of what the scores of ``family`` are read from."""
    return RewardModelError(
        f"The server of the reward model at {address(upstream.url)} returned no log probabilities, from which the scores of"
        f" {family} are read. llama.cpp returns them, vLLM does, and Ollama from version 0.12.11 on.",
        retryable=False,
    )


class HttpRewardModel(SharedRewardModel):
    """Client of ``epf serve-prm``; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, upstream: Upstream, name: str = "http") -> None:
        super().__init__(name, f"epf serve-prm at {address(upstream.url)}")
        self._upstream = upstream

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        body = {"problem": problem, "steps": list(steps)}
        try:
            return await self._upstream.read("/score", body, _score, affinity=problem)
        except UpstreamRejected as rejected:
            raise error_of(rejected, self._upstream, (problem, *steps)) from None

    async def _check_ready(self) -> None:
        await self._upstream.ready("/readyz")

    async def _release(self) -> None:
        await self._upstream.aclose()


def _score(answer: dict[str, Any]) -> Score:
    probability, n_tokens = answer.get("probability"), answer.get("n_tokens")
    if not isinstance(probability, float | int) or not is_number(probability) or not 0 <= probability <= 1:
        raise RewardModelError("The reward model's server returned no probability in [0, 1].")
    if not isinstance(n_tokens, int) or isinstance(n_tokens, bool) or n_tokens < 0:
        raise RewardModelError("The reward model's server returned no valid number of tokens.")
    return Score(float(probability), n_tokens)
