"""Reward models behind HTTP: our own scoring server, and vLLM's ``/classify``, ``/pooling`` and ``/v1/completions``."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.engines.http.errors import Refused
from epf.engines.http.replicas import Upstream, is_number
from epf.reward_models.families.family import Family, Read
from epf.reward_models.servers import as_ours
from epf.reward_models.sharing import Shared
from epf.reward_models.trace import check_trace

PATHS: dict[Read, str] = {"sequence": "/classify", "tokens": "/pooling", "next_token": "/v1/completions"}
"""Where vLLM serves each kind of family. ``/classify`` and ``/v1/completions`` read the prefix cache, ``/pooling`` does not."""

TOP_LOG_PROBS = 20
"""Most that vLLM returns by default."""

TOLERANCE = 0.01


class HttpRewardModel:
    """Client of ``epf serve-prm``; see :class:`epf.core.reward_model.RewardModel`."""

    def __init__(self, upstream: Upstream, name: str = "http") -> None:
        self._upstream = upstream
        self._name = name
        self._shared: Shared[tuple[str, tuple[str, ...]], Score] = Shared(name)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._name

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps``. A trace that others have asked for and wait for is asked once."""
        check_trace(problem, steps)
        trace = (problem, tuple(steps))
        score, made = await self._shared.get(trace, lambda: self._ask(*trace))
        return score if made else Score(score.probability, 0)

    async def ready(self) -> None:
        """Raise unless a replica says that it is ready."""
        self._shared.check_open()
        await self._upstream.ready("/readyz")

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._shared.aclose()
        await self._upstream.aclose()

    async def _ask(self, problem: str, steps: tuple[str, ...]) -> Score:
        try:
            answer = await self._upstream.post("/score", {"problem": problem, "steps": list(steps)}, affinity=problem)
        except Refused as refused:
            raise as_ours(refused) from None
        probability, n_tokens = answer.get("probability"), answer.get("n_tokens")
        if not isinstance(probability, float | int) or not 0 <= probability <= 1:
            raise RewardModelError("the reward model's server returned no probability in [0, 1]")
        if not isinstance(n_tokens, int) or isinstance(n_tokens, bool) or n_tokens < 0:
            raise RewardModelError("the reward model's server returned no count of tokens")
        return Score(float(probability), n_tokens)


class VllmServerPool:
    """Asks ``vllm serve`` with token ids; see :class:`epf.reward_models.pooled.Pool`.

    The server does not say which tokens it had cached, so every one counts as computed.

    Args:
        upstream: the replicas, closed with this object.
        family: of the model that they serve.
        model: its name there.
    """

    def __init__(self, upstream: Upstream, family: Family, model: str) -> None:
        self._upstream = upstream
        self._family = family
        self._model = model
        self._context_length: int | None = None
        self._checking = asyncio.Lock()
        self._checked = family.read == "next_token"

    async def context_length(self) -> int:
        """What the server says of the model."""
        if self._context_length is None:
            answer = await self._get("/v1/models")
            models = answer.get("data")
            known = {m.get("id"): m for m in models if isinstance(m, dict)} if isinstance(models, list) else {}
            length = known.get(self._model, {}).get("max_model_len")
            if not isinstance(length, int):
                raise RewardModelError(f"the reward model's server serves no model {self._model!r} with a max_model_len")
            self._context_length = length
        return self._context_length

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """The newest step's values, before any activation."""
        if not self._checked:
            async with self._checking:
                if not self._checked:
                    await self._check_activation(ids, problem)
                    self._checked = True
        return await self._values(ids, problem), len(ids)

    async def ready(self) -> None:
        """Raise unless a replica says that its engine lives."""
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
        except Refused as refused:
            raise as_ours(refused) from None
        try:
            if self._family.read == "next_token":
                (choice,) = answer["choices"]
                return self._answers(choice["logprobs"]["top_logprobs"][0])
            (only,) = answer["data"]
            values = only["probs"] if self._family.read == "sequence" else only["data"][-1]
        except (KeyError, IndexError, TypeError, ValueError):
            raise RewardModelError("the reward model's server answered without the values of one step") from None
        if not isinstance(values, list) or not all(map(is_number, values)):
            raise RewardModelError("the reward model's server answered with values that are no finite numbers")
        return [float(value) for value in values]

    def _answers(self, top: dict[str, Any]) -> list[float]:
        """Log-probabilities of the answers.

        One that is not among the most likely tokens is at most as likely as the least of these, which is taken for it where it
        decides nothing.
        """
        if not top or not all(map(is_number, top.values())):
            raise RewardModelError("the reward model's server answered with log-probabilities that are no finite numbers")
        values = [top.get(f"token_id:{id_}") for id_ in self._family.answer_ids]
        least = min(top.values())
        bounded = [least if value is None else float(value) for value in values]
        unsure = None in values and math.exp(least) > TOLERANCE * math.exp(max(bounded))
        if unsure or values == [None, None]:
            told = " and ".join(self._family.answers)
            raise RewardModelError(f"{told} are not both among the {TOP_LOG_PROBS} most likely tokens after a step")
        return bounded

    async def _check_activation(self, ids: tuple[int, ...], problem: str) -> None:
        """Once: that raw values are raw. A server that does not know the switch gives the same twice."""
        raw = self._family.probability(await self._values(ids, problem))
        activated = await self._values(ids, problem, activated=True)
        told = activated[self._family.right] if len(activated) == self._family.n_values else math.nan
        if not abs(raw - told) <= TOLERANCE:
            raise RewardModelError("the reward model's server does not know use_activation: it needs vLLM 0.11 or newer")

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            return await self._upstream.get(path)
        except Refused as refused:
            raise as_ours(refused) from None
