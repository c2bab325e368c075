"""Servers of language models that judge: one chat completion or one next token, whatever the server."""

import asyncio
import re
from typing import Any

from epf.core.errors import SearchServiceError
from epf.core.generator import Message
from epf.engines.http.dialect import Dialect, OptionalField
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.kinds import find_kind
from epf.engines.http.replicas import Upstream
from epf.reward_models import ollama
from epf.reward_models.top_tokens import TopToken, read_top

CHAT_ROUTE = "/v1/chat/completions"
PROMPT_ROUTE = "/v1/completions"
LLAMA_CPP_ROUTE = "/completion"
"""llama.cpp's own. Before the end of 2024, only this one returned log probabilities for a text."""

TOP = 20
"""Maximum number of log probabilities that OpenAI and vLLM return by default."""

MANY = 1000
"""How many are asked for where the first do not hold what is looked for; llama.cpp has no limit."""

WITHOUT_THINKING = {"enable_thinking": False}
"""What templates of models that think look at, such as Qwen3's."""

FIELDS = {
    "logprobs": OptionalField("it returns no log probabilities, so each verdict is scored 3/4 or 1/4", group=("top_logprobs",)),
    "top_logprobs": OptionalField(forms=(lambda _: ("top_logprobs", 5),), group=("logprobs",)),
    "temperature": OptionalField("it samples its verdicts", standard=True),
    "max_tokens": OptionalField("its own limit applies", standard=True, forms=(lambda n: ("max_completion_tokens", n),)),
    "chat_template_kwargs": OptionalField("a model that thinks does so even where one word is asked for"),
    "continue_final_message": OptionalField(group=("add_generation_prompt",)),
    "add_generation_prompt": OptionalField(group=("continue_final_message",)),
}
"""Fields that a chat completion can do without."""

PROMPT_FIELDS = {
    "logprobs": OptionalField("it returns no log probabilities", forms=(lambda _: ("logprobs", 5),)),
    "temperature": OptionalField(standard=True),
}
"""Fields that the completion of a text by one token can do without."""


_TOO_LARGE = re.compile(r"too (?:large|high|big)|at most|maximum|less than|exceed|<=|greater than", re.IGNORECASE)


class NoRoom(Exception):
    """The request has no room in the model's context, or asks for more tokens than the model writes."""

    def __init__(self, rejected: UpstreamRejected) -> None:
        super().__init__("no room")
        self.rejected = rejected


class CompletionServer:
    """One model on equivalent servers.

    Args:
        upstream: the servers.
        model: name of the model there.
    """

    def __init__(self, upstream: Upstream, model: str) -> None:
        self._upstream = upstream
        self._model = model
        self._dialect = Dialect("the reward model", FIELDS)
        self._prompt_dialect = Dialect("the reward model", PROMPT_FIELDS)
        self._asking = asyncio.Lock()
        self._is_ollama: bool | None = None
        self._prompt_routes: tuple[str, ...] = (PROMPT_ROUTE, LLAMA_CPP_ROUTE)

    async def chat(self, messages: list[dict[str, str]], *, max_tokens: int, affinity: str, **fields: Any) -> dict[str, Any]:
        """Return a chat completion at temperature 0, with log probabilities where the server has them.

        Raises:
            NoRoom: messages and reply do not fit.
            UpstreamRejected: the server refuses the request.
            RewardModelError: it failed.
        """
        body = {"model": self._model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
        body |= {"logprobs": True, "top_logprobs": TOP, **fields}
        return await self._dialect.send(body, lambda accepted: self._chat(accepted, affinity))

    async def next_token(self, prompt: str | tuple[Message, ...], *, affinity: str) -> tuple[list[TopToken], dict[str, Any]]:
        """Return the most likely tokens after a text or a conversation, none if the server has none, and the response.

        Raises:
            NoRoom: a conversation does not fit.
            UpstreamRejected: the server refuses the request.
            RewardModelError: it failed.
            ValueError: the response has log probabilities in no known shape.
        """
        if isinstance(prompt, str):
            return await self._prompt_dialect.send(self._body(prompt, TOP), lambda accepted: self._complete(accepted, affinity))
        answer = await self.chat(_turns(prompt), max_tokens=1, affinity=affinity)
        return read_top(answer), answer

    async def many_next_tokens(
        self, prompt: str | tuple[Message, ...], *, affinity: str
    ) -> tuple[list[TopToken], dict[str, Any]]:
        """Like :meth:`next_token`, with many more tokens, which most servers refuse."""
        if isinstance(prompt, str):
            return await self._complete(self._body(prompt, MANY), affinity)
        body = {"model": self._model, "messages": _turns(prompt), "temperature": 0, "max_tokens": 1}
        answer = await self._send(CHAT_ROUTE, body | {"logprobs": True, "top_logprobs": MANY}, affinity)
        return read_top(answer), answer

    async def _chat(self, body: dict[str, Any], affinity: str) -> dict[str, Any]:
        try:
            return await self._send(CHAT_ROUTE, body, affinity)
        except UpstreamRejected as rejected:
            refusal = rejected.refusal
            is_limit = refusal.named({"max_tokens", "max_completion_tokens"}) and _TOO_LARGE.search(refusal.words)
            if refusal.too_long or is_limit:
                raise NoRoom(rejected) from None
            raise

    def _body(self, prompt: str, n: int) -> dict[str, Any]:
        return {"model": self._model, "prompt": prompt, "temperature": 0, "max_tokens": 1, "logprobs": n}

    async def _complete(self, body: dict[str, Any], affinity: str) -> tuple[list[TopToken], dict[str, Any]]:
        """Ask the routes in turn until one returns log probabilities; from then on only that one is asked."""
        for route in self._prompt_routes:
            last = route == self._prompt_routes[-1]
            try:
                answer = await self._send(route, body, affinity)
            except UpstreamRejected as rejected:
                if last or rejected.refusal.status not in (404, 405):
                    raise
                continue
            top = read_top(answer)
            if top or last:
                break
        if top:
            self._prompt_routes = (route,)
        return top, answer

    async def _send(self, route: str, body: dict[str, Any], affinity: str) -> dict[str, Any]:
        if await self._speaks_ollama():
            route, sent = ollama.request_of(body)
            return ollama.completion_of(await self._upstream.post(route, sent, affinity=affinity))
        sent = _for_llama_cpp(body) if route == LLAMA_CPP_ROUTE else body
        return await self._upstream.post(route, sent, affinity=affinity)

    async def _speaks_ollama(self) -> bool:
        """Find out once; a server that cannot be reached is asked again."""
        async with self._asking:
            if self._is_ollama is None:
                try:
                    listed = await self._upstream.get_optional("/v1/models")
                except SearchServiceError:
                    return False  # the request itself reports it
                kind = await find_kind(self._upstream, _owner(listed, self._model))
                self._is_ollama = kind == "ollama"
        return self._is_ollama


def computed_tokens(answer: dict[str, Any]) -> int:
    """Number of tokens that a server says it computed for a response, without those from its cache; 0 where it does not say."""
    return computed_prompt_tokens(answer) + _count(_usage(answer).get("completion_tokens"))


def computed_prompt_tokens(answer: dict[str, Any]) -> int:
    """Number of those that belong to the prompt."""
    read = _count(_usage(answer).get("prompt_tokens")) or _count(answer.get("tokens_evaluated"))  # llama.cpp's own route
    return max(read - cached_tokens(answer), 0)


def cached_tokens(answer: dict[str, Any]) -> int:
    """Number of tokens of the prompt that a server says it read from its cache; 0 where it does not say."""
    details = _usage(answer).get("prompt_tokens_details")
    return _count(details.get("cached_tokens")) if isinstance(details, dict) else 0


def _usage(answer: dict[str, Any]) -> dict[str, Any]:
    usage = answer.get("usage")
    return usage if isinstance(usage, dict) else {}


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _owner(listed: dict[str, Any] | None, model: str) -> str:
    models = (listed or {}).get("data")
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    owner = next((entry.get("owned_by") for entry in entries if entry.get("id") == model), None)
    return owner if isinstance(owner, str) else ""


def _turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _for_llama_cpp(body: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": body["prompt"], "temperature": 0, "n_predict": body["max_tokens"], "n_probs": body["logprobs"]}
