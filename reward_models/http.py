"""Reward models behind HTTP: ``epf serve-prm``, and vLLM's ``/classify``, ``/pooling`` and ``/v1/completions``."""

import asyncio
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from epf.core.errors import ContextTooLong, InvalidRequest, RewardModelError, SearchServiceError
from epf.core.reward_model import Score
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream, is_number
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.families.family import Family, Read

PATHS: dict[Read, str] = {"sequence": "/classify", "tokens": "/pooling", "next_token": "/v1/completions"}
"""Where vLLM serves each kind of family. ``/classify`` and ``/v1/completions`` read the prefix cache, ``/pooling`` does not."""

TOP_LOG_PROBS = 20
"""Maximum number of log probabilities that vLLM returns by default."""

TOLERANCE = 0.01


def connect(urls: Sequence[str], *, api_key: str | None = None, timeout_s: float = 60.0) -> Upstream:
    """Connect to equivalent servers of one reward model; their failures raise ``RewardModelError``."""
    return Upstream(urls, RewardModelError, "the reward model", api_key=api_key, timeout_s=timeout_s)


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


class HttpRewardModel(SharedRewardModel):
    """Client of ``epf serve-prm``; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, upstream: Upstream, name: str = "http") -> None:
        super().__init__(name)
        self._upstream = upstream

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        try:
            answer = await self._upstream.post("/score", {"problem": problem, "steps": list(steps)}, affinity=problem)
        except UpstreamRejected as rejected:
            raise error_of(rejected, self._upstream, (problem, *steps)) from None
        probability, n_tokens = answer.get("probability"), answer.get("n_tokens")
        if not isinstance(probability, float | int) or not is_number(probability) or not 0 <= probability <= 1:
            raise RewardModelError("The reward model's server returned no probability in [0, 1].")
        if not isinstance(n_tokens, int) or isinstance(n_tokens, bool) or n_tokens < 0:
            raise RewardModelError("The reward model's server returned no valid number of tokens.")
        return Score(float(probability), n_tokens)

    async def _check_ready(self) -> None:
        await self._upstream.ready("/readyz")

    async def _release(self) -> None:
        await self._upstream.aclose()


class VllmServerBackend:
    """Client of ``vllm serve``; see :class:`epf.reward_models.backend.ScoringBackend`.

    Args:
        upstream: the replicas, closed with this object.
        family: family of the model that they serve.
        model: name of the model on the server.
    """

    def __init__(self, upstream: Upstream, family: Family, model: str) -> None:
        self._upstream = upstream
        self._family = family
        self._model = model
        self._context_length: int | None = None
        self._checking = asyncio.Lock()
        self._checked = family.read == "next_token"

    async def context_length(self) -> int:
        """Maximum number of tokens of one prompt, as the server reports it. A server that lists no models checks it itself."""
        if self._context_length is None:
            answer = await self._upstream.get_optional("/v1/models")
            models = None if answer is None else answer.get("data")
            known = {m.get("id"): m for m in models if isinstance(m, dict)} if isinstance(models, list) else {}
            length = known.get(self._model, {}).get("max_model_len")
            if answer is not None and type(length) is not int:
                raise RewardModelError(f"The reward model's server lists no model {self._model!r} with a max_model_len.")
            self._context_length = sys.maxsize if length is None else length
        return self._context_length

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """Return the newest step's values before any activation, and the number of tokens."""
        if not self._checked:
            async with self._checking:
                if not self._checked:
                    await self._check_activation(ids, problem)
                    self._checked = True
        return await self._values(ids, problem), len(ids)

    async def ready(self) -> None:
        """Raise ``RewardModelError`` unless a replica reports that its engine is alive."""
        await self._upstream.ready("/health")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._upstream.aclose()

    async def _values(self, ids: tuple[int, ...], problem: str, *, activated: bool = False) -> list[float]:
        body: dict[str, Any] = {"model": self._model}
        if self._family.read == "next_token":
            body |= {"prompt": list(ids), "max_tokens": 1, "temperature": 0, "logprobs": TOP_LOG_PROBS}
            body |= {"return_tokens_as_token_ids": True}
        else:
            body |= {"input": list(ids), "use_activation": activated}
            body |= {"task": "token_classify"} if self._family.read == "tokens" else {}
        try:
            answer = await self._upstream.post(PATHS[self._family.read], body, affinity=problem)
        except UpstreamRejected as rejected:
            raise error_of(rejected, self._upstream, (problem,)) from None
        try:
            if self._family.read == "next_token":
                (choice,) = answer["choices"]
                return self._answer_log_probs(choice["logprobs"]["top_logprobs"][0])
            (only,) = answer["data"]
            values = only["probs"] if self._family.read == "sequence" else only["data"][-1]
        except (KeyError, IndexError, TypeError, ValueError):
            raise RewardModelError("The reward model's server responded without the values of one step.") from None
        if not isinstance(values, list) or not all(map(is_number, values)):
            raise RewardModelError("The reward model's server returned values that are not finite numbers.")
        return [float(value) for value in values]

    def _answer_log_probs(self, top: dict[str, Any]) -> list[float]:
        """Log probabilities of the family's two answer tokens.

        An answer that is not among the most likely tokens is at most as likely as the least likely of these. That bound is
        used for it where it cannot change the result.
        """
        if not top or not all(map(is_number, top.values())):
            raise RewardModelError("The reward model's server returned log probabilities that are not finite numbers.")
        values = [top.get(f"token_id:{id_}") for id_ in self._family.answer_ids]
        least = min(top.values())
        bounded = [least if value is None else float(value) for value in values]
        unsure = None in values and math.exp(least) > TOLERANCE * math.exp(max(bounded))
        if unsure or values == [None, None]:
            answers = " and ".join(self._family.answers)
            raise RewardModelError(f"{answers} are not both among the {TOP_LOG_PROBS} most likely tokens after a step.")
        return bounded

    async def _check_activation(self, ids: tuple[int, ...], problem: str) -> None:
        """Check once that raw values are raw: a server that does not know the switch returns the same values twice."""
        raw = self._family.probability(await self._values(ids, problem))
        values = await self._values(ids, problem, activated=True)
        activated = values[self._family.right] if len(values) == self._family.n_values else math.nan
        if not abs(raw - activated) <= TOLERANCE:
            message = "The reward model's server does not support use_activation. Upgrade it to vLLM 0.11 or newer."
            raise RewardModelError(message)
