"""A generator behind any OpenAI-compatible server: by token ids if the server supports them, as vLLM does, else by text.

Responses are streamed, since a server notices at once that the client has left a stream, and stops. Steps after the same prefix
share a request (:mod:`epf.generators.openai.coalescer`); what a server supports is found out at its first response
(:mod:`epf.generators.openai.sampler`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from epf.core.generator import Abilities, Message, Sampling, Step
from epf.engines.http.replicas import Upstream
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.coalescer import RequestCoalescer
from epf.generators.openai.sampler import CompletionSampler
from epf.generators.steps import step_limit


class OpenAiGenerator:
    """Samples steps from a server's ``/v1/completions``; see :class:`epf.core.generator.Generator`.

    Args:
        upstream: equivalent servers, closed with this object.
        tokenizer: tokenizer of the model that they serve.
        model: name of the model on the servers.
        context_length: maximum number of tokens of prompt and continuation together.
        description: what was found out about the servers, for people.
    """

    def __init__(
        self, upstream: Upstream, tokenizer: ChatTokenizer, model: str, context_length: int, description: str = ""
    ) -> None:
        self._upstream = upstream
        self._tokenizer = tokenizer
        self._name = Path(model).name if model.startswith("/") else model
        self._context_length = context_length
        self._description = description
        self._sampler = CompletionSampler(upstream, tokenizer, model)
        self._coalescer = RequestCoalescer(self._sampler.sample, self._sampler.max_steps)

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""
        return self._name

    @property
    def description(self) -> str:
        """What was found out about the model."""
        return self._description

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together."""
        return self._context_length

    @property
    def abilities(self) -> Abilities:
        """What the servers can do, as far as it is known."""
        return Abilities(log_probs=self._sampler.has_log_probs, cancels=self._sampler.by_ids)

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""
        return self._tokenizer.render(messages)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that the model continues without its chat template."""
        return self._tokenizer.text_ids(text)

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""
        return self._tokenizer.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call closes its connection, which stops the server.

        A step that breaks off is sampled again from the same seed, if another server or attempt allows it.
        """
        max_tokens = step_limit(
            prefix_ids,
            sampling,
            name=self._name,
            vocabulary=self._tokenizer.size,
            context_length=self._context_length,
        )
        return await self._coalescer.step(prefix_ids, replace(sampling, max_tokens=max_tokens), seed)

    async def ready(self) -> None:
        """Raise ``GeneratorError`` unless a server reports that it is healthy, lists its models, or has a route for neither."""
        await self._upstream.ready("/health", "/v1/models", unknown=True)

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._upstream.aclose()
