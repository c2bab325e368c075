r"""The interface between the search and a language model that samples text one step at a time, by token ids.

A **step** ends at the step separator (a blank line by default) or where the model stops. :meth:`Generator.prompt_ids` renders
text to token ids once. From then on, the search appends the token ids of each step to those of its prefix and never tokenizes
again, so that nothing drifts and an engine's prefix cache always hits.

Tokens do not respect steps. Many vocabularies have tokens such as ``".\n\n"``, which end a sentence together with the step, or
``"\n\n\n"``, which hold more than a separator. A step therefore ends with the first token that completes the separator in the
sampled text (:mod:`epf.generators.steps`). Whatever that token holds after the separator is the step's ``rest`` and begins the
text of the next step. A character whose bytes are split between two steps belongs to the text of the step that completes it.
The texts, with a separator after each step that ended at one, are therefore exactly what the tokens spell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from epf.core.description import description_of
from epf.core.errors import InvalidRequest

Finish = Literal["separator", "eos", "length", "answer"]
"""Why a step ended: at the separator, at the model's own end, at the token limit or, set by the search, with the answer."""

Role = Literal["system", "user", "assistant"]

MAX_SYSTEM_PROMPT_CHARS = 20_000

MAX_TOP_LOG_PROBS: Final = 20
"""Maximum number of most likely tokens for each position, as in OpenAI's API; vLLM has the same limit by default."""

TopToken: TypeAlias = tuple[bytes, float]
"""One of the most likely tokens at a position: the bytes that it adds to the text, and its log probability."""

TopTokens: TypeAlias = tuple[TopToken, ...]
"""The most likely tokens at one position, most likely first."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one step.

    Attributes:
        temperature: temperature of the language model; 0 is greedy.
        top_p: nucleus mass in (0, 1]; 1 samples from the whole vocabulary.
        max_tokens: maximum number of tokens in the step; a step that reaches it has finish ``length``.
        separator: text that ends the step. Empty means that only the model's own end or the token limit ends it.
        stop: texts at which the search cuts the solution. A generator may end the step once its text holds one of them.
        top_log_probs: number of most likely tokens, at most ``MAX_TOP_LOG_PROBS``, to report for each position of the step.
        on_text: gets the text of the step while it is sampled, each time from its beginning, without half characters and
            without what may still become a separator or a special token. Called in the event loop of the call. A step that has
            to be sampled anew begins again. A generator that cannot show a step before its end never calls it.
        on_tokens: gets the number of tokens sampled so far, in any thread, so that those of a cancelled call can be counted.
            A generator that does not know calls it never.
    """

    temperature: float = 0.8
    top_p: float = 1.0
    max_tokens: int = 256
    separator: str = "\n\n"
    stop: tuple[str, ...] = ()
    top_log_probs: int = 0
    on_text: Callable[[str], None] | None = field(default=None, repr=False)
    on_tokens: Callable[[int], None] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One sampled step.

    Attributes:
        token_ids: exactly as sampled; the last one completes the separator, is the end token, or reaches the limit.
        text: what they spell before the separator or end token, without a character that they only begin.
        finish: why the step ended.
        log_probs: log probability of each token under the model at temperature 1, in nats; empty if the engine reports none.
            That of the token that ended the turn is missing where a server counts this token and does not show it.
        top_log_probs: the most likely tokens at the position of each token that has a log probability, under the same model at
            temperature 1; fewer than requested where the vocabulary or the server has no more. Empty unless requested.
        rest: what the last token spells after the separator; the text of the next step begins with it.
        prompt_tokens: number of tokens of the prefix as the server counted them; None if the prefix consists of them, or if the
            server did not count.
    """

    token_ids: tuple[int, ...]
    text: str
    finish: Finish
    log_probs: tuple[float, ...] = ()
    rest: str = ""
    top_log_probs: tuple[TopTokens, ...] = field(default=(), repr=False)
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Abilities:
    """What not every generator can do.

    Attributes:
        continues: whether it can continue a solution that it has begun. If not, it writes whole solutions only.
        counts_prompts: whether the ids of a prompt are its tokens. If not, the steps after it hold their number.
        log_probs: whether steps have log probabilities, except for one that holds a token which is not shown; None if unknown.
        token_ids: whether the ids of steps are those of the model's vocabulary.
        cancels: whether cancelling a call stops its sampling at once, so that steps may begin that perhaps nobody needs.
    """

    continues: bool = True
    counts_prompts: bool = True
    log_probs: bool | None = None
    token_ids: bool = True
    cancels: bool = False


class Generator(Protocol):
    """Samples steps. Concurrent calls share the engine's batch.

    A generator that cannot do everything has an attribute ``abilities`` as well; see :func:`abilities_of`. One that can
    continue a text without its chat template has a method ``text_ids``; see :func:`text_ids`.
    """

    @property
    def name(self) -> str:
        """Name of the model as a user would write it."""

    @property
    def context_length(self) -> int:
        """Maximum number of tokens of prompt and continuation together."""

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call stops the sampling.

        The same arguments give the same step. Raises ``ContextTooLong`` if the prefix leaves no room for a step,
        ``InvalidRequest`` for a separator at which this engine cannot stop, ``GeneratorError`` if the engine fails.
        """

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now. Costs no tokens and returns within a few seconds."""

    async def aclose(self) -> None:
        """Release the engine."""


def abilities_of(generator: Generator) -> Abilities:
    """What a generator can do: everything, unless it says otherwise."""
    abilities = getattr(generator, "abilities", None)
    return abilities if isinstance(abilities, Abilities) else Abilities()


class GeneratorWrapper:
    """Base of generators that change or observe the calls of another one; every method delegates to it.

    Closing the wrapper closes ``inner``.
    """

    def __init__(self, inner: Generator) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """Name of the inner model."""
        return self._inner.name

    @property
    def description(self) -> str:
        """What was found out about the inner model."""
        return description_of(self._inner)

    @property
    def context_length(self) -> int:
        """Context length of the inner model."""
        return self._inner.context_length

    @property
    def abilities(self) -> Abilities:
        """What the inner model can do."""
        return abilities_of(self._inner)

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the inner model's chat template."""
        return self._inner.prompt_ids(messages)

    def plain_prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation as :func:`plain_prompt_ids` does."""
        return plain_prompt_ids(self._inner, messages)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Read a text as :func:`text_ids` does."""
        return text_ids(self._inner, text)

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text."""
        return self._inner.token_bytes(token_id)

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step with the inner model."""
        return await self._inner.step(prefix_ids, sampling, seed)

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call of the inner model would fail now."""
        await self._inner.ready()

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()


def plain_prompt_ids(generator: Generator, messages: Sequence[Message]) -> tuple[int, ...]:
    """Render a conversation as it is, without what a wrapper puts in front of it."""
    if isinstance(generator, GeneratorWrapper):
        return generator.plain_prompt_ids(messages)
    return generator.prompt_ids(messages)


def text_ids(generator: Generator, text: str) -> tuple[int, ...]:
    """Token ids of a text that a generator continues as it is, without its chat template.

    Raises:
        InvalidRequest: the generator continues conversations only.
    """
    read: Callable[[str], tuple[int, ...]] | None = getattr(generator, "text_ids", None)
    if read is None:
        message = f"{generator.name} continues conversations only, no plain text: send it as a message of a conversation."
        raise InvalidRequest(message, param="problem")
    return read(text)
