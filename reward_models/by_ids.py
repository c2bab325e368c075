"""Reward models on servers that take token ids: vLLM, and for models that answer with one token also SGLang and llama.cpp.

``/classify`` and ``/v1/completions`` read the prefix cache of vLLM, ``/pooling`` does not. Skywork's plugin for vLLM 0.6.4,
which has no ``/pooling``, returns a reward for each token as an embedding. Where the two answers of a language model are not
among its most likely tokens, ``/generative_scoring`` (vLLM's pull request 34539) returns exactly what is looked for.
"""

import asyncio
import math
import sys
from typing import Any

from epf.core.errors import RewardModelError
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.numbers import is_number
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.reward_models.completion_server import MANY, PROMPT_ROUTE, TOP, cached_tokens
from epf.reward_models.families.family import Family, Read
from epf.reward_models.http import error_of, no_log_probs
from epf.reward_models.top_tokens import AnswersMissing, answer_log_probs, read_top, spelled

ROUTES: dict[Read, str] = {"sequence": "/classify", "tokens": "/pooling", "next_token": PROMPT_ROUTE}
"""Where vLLM serves each kind of family."""

EMBEDDING_ROUTE = "/v1/embeddings"
EXACT_ROUTE = "/generative_scoring"
UNKNOWN_ROUTE_STATUSES = frozenset({404, 405, 501})

TOLERANCE = 0.01


class ServerBackend:
    """Client of such a server; see :class:`epf.reward_models.backend.ScoringBackend`.

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
        self._route = ROUTES[family.read]
        self._missing_routes: set[str] = set()

    async def context_length(self) -> int:
        """Maximum number of tokens of one prompt, as the server reports it. A server that does not checks it itself."""
        if self._context_length is None:
            answer = await self._upstream.get_optional("/v1/models")
            models = None if answer is None else answer.get("data")
            known = {m.get("id"): m for m in models if isinstance(m, dict)} if isinstance(models, list) else {}
            length = known.get(self._model, {}).get("max_model_len")
            if type(length) is not int and any("max_model_len" in listed for listed in known.values()):
                names = ", ".join(sorted(map(str, known)))
                message = f"{self._where} has no model {self._model!r}. It has {names}: name one in reward_model.name."
                raise RewardModelError(message, retryable=False)
            self._context_length = length if type(length) is int else sys.maxsize
        return self._context_length

    async def values(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """Return the newest step's values before any activation, and the number of tokens."""
        if self._family.read == "next_token":
            return await self._answers(ids, problem)
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
        """What a head on top of the model returns."""
        if self._route == EMBEDDING_ROUTE:
            return await self._embedded(ids, problem)
        body = {"model": self._model, "input": list(ids), "use_activation": activated}
        body |= {"task": "token_classify"} if self._family.read == "tokens" else {}
        try:
            answer = await self._upstream.post(self._route, body, affinity=problem)
        except UpstreamRejected as rejected:
            if self._family.read == "tokens" and rejected.refusal.status in UNKNOWN_ROUTE_STATUSES:
                values = await self._embedded(ids, problem)
                self._route = EMBEDDING_ROUTE
                return values
            raise error_of(rejected, self._upstream, (problem,)) from None
        try:
            (only,) = answer["data"]
            values = only["probs"] if self._family.read == "sequence" else only["data"][-1]
        except (KeyError, IndexError, TypeError, ValueError):
            raise RewardModelError(f"{self._where} responded without the values of one step.") from None
        return self._finite(values)

    async def _embedded(self, ids: tuple[int, ...], problem: str) -> list[float]:
        """The reward at the last token, of a server that returns one for each token that it computed."""
        body = {"model": self._model, "input": list(ids), "encoding_format": "float"}
        try:
            answer = await self._upstream.post(EMBEDDING_ROUTE, body, affinity=problem)
            (only,) = answer["data"]
            rewards = only["embedding"]
            if not isinstance(rewards, list) or not 0 < len(rewards) <= len(ids):
                raise ValueError
        except UpstreamRejected as rejected:
            raise error_of(rejected, self._upstream, (problem,)) from None
        except (KeyError, TypeError, ValueError):
            raise RewardModelError(f"{self._where} responded without a reward for each token.") from None
        return self._finite(rewards[-1:])

    async def _answers(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        """Log probabilities of the family's two answers as the next token."""
        for route, n in ((PROMPT_ROUTE, TOP), (EXACT_ROUTE, 0), (PROMPT_ROUTE, MANY)):
            try:
                if route == EXACT_ROUTE:
                    return await self._exact(ids, problem)
                return await self._among_the_first(n, ids, problem)
            except AnswersMissing:
                continue
            except UpstreamRejected as rejected:
                if rejected.refusal.too_long or not self._may_go_on(rejected, n):
                    raise error_of(rejected, self._upstream, (problem,)) from None
        answers = " and ".join(repr(spelled(answer)) for answer in self._family.answers)
        raise RewardModelError(
            f"{self._where} does not have {answers} among the {TOP} most likely tokens after a step."
            f" Check that it serves a model of the family {self._family.name}.",
            retryable=False,
        )

    def _may_go_on(self, rejected: UpstreamRejected, n: int) -> bool:
        """Whether the next way of :meth:`_answers` may work where this one was refused."""
        refusal = rejected.refusal
        return refusal.status in UNKNOWN_ROUTE_STATUSES if n == 0 else n == MANY or bool(refusal.named({"logprobs"}))

    async def _among_the_first(self, n: int, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        body = {"model": self._model, "prompt": list(ids), "max_tokens": 1, "temperature": 0, "logprobs": n}
        answer = await self._upstream.post(PROMPT_ROUTE, body | {"return_tokens_as_token_ids": True}, affinity=problem)
        try:
            top = read_top(answer)
            if not top:
                raise no_log_probs(self._upstream, self._family.name)
            values = answer_log_probs(top, self._family.answers, self._family.answer_ids)
        except ValueError as error:
            raise RewardModelError(f"{self._where} returned {error}.") from None
        return values, max(len(ids) - cached_tokens(answer), 0)

    async def _exact(self, ids: tuple[int, ...], problem: str) -> tuple[list[float], int]:
        if EXACT_ROUTE in self._missing_routes:
            raise AnswersMissing
        body: dict[str, Any] = {"model": self._model, "query": list(ids[:-1]), "items": [list(ids[-1:])]}
        body |= {"label_token_ids": list(self._family.answer_ids), "apply_softmax": True, "add_special_tokens": False}
        try:
            answer = await self._upstream.post(EXACT_ROUTE, body, affinity=problem)
        except UpstreamRejected as rejected:
            if rejected.refusal.status in UNKNOWN_ROUTE_STATUSES:
                self._missing_routes.add(EXACT_ROUTE)
            raise
        try:
            (only,) = answer["data"]
            right, n_read = only["score"], answer["usage"]["prompt_tokens"]
        except (KeyError, TypeError, ValueError):
            raise RewardModelError(f"{self._where} responded without the score of one step.") from None
        if not is_number(right) or not 0 <= right <= 1:
            raise RewardModelError(f"{self._where} returned a score that is not in [0, 1].")
        if n_read != len(ids):
            raise RewardModelError(f"{self._where} read {n_read} of {len(ids)} tokens.", retryable=False)
        least = sys.float_info.min
        return [math.log(max(p, least)) for p in (right, 1 - right)], len(ids)

    def _finite(self, values: object) -> list[float]:
        if not isinstance(values, list) or not all(map(is_number, values)):
            raise RewardModelError(f"{self._where} returned values that are not finite numbers.")
        return [float(value) for value in values]

    async def _check_activation(self, ids: tuple[int, ...], problem: str) -> None:
        """Check once that raw values are raw: a server that does not know the switch returns the same values twice."""
        raw = self._family.probability(await self._values(ids, problem))
        if self._route == EMBEDDING_ROUTE:
            return
        values = await self._values(ids, problem, activated=True)
        activated = values[self._family.right] if len(values) == self._family.n_values else math.nan
        if not abs(raw - activated) <= TOLERANCE:
            message = f"{self._where} does not support use_activation. Upgrade it to vLLM 0.11 or newer."
            raise RewardModelError(message, retryable=False)

    @property
    def _where(self) -> str:
        return f"The server of the reward model at {address(self._upstream.url)}"
