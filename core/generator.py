r"""The seam between the search and whatever samples text: one step at a time, by token ids.

A **step** ends at the step separator (default a blank line) or where the model stops. Text is rendered to token ids once, by
:meth:`Generator.prompt_ids`; from then on the search appends the token ids of each step to those of its prefix and never
tokenises again, so nothing drifts and an engine's prefix cache always hits.

Tokens do not respect steps: many vocabularies have tokens such as ``".\n\n"``, which end a sentence and the step with it, or
``"\n\n\n"``, which hold more than a separator. A step therefore ends with the first token that completes the separator in
what the step has sampled (:mod:`epf.generators.steps`). Whatever that token holds beyond it is the step's ``rest`` and begins
the text of the next one. A character whose bytes a step ends within belongs to the text of the step that completes it. So the
texts, with a separator after each step that ended at one, are exactly what the tokens spell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Finish = Literal["separator", "eos", "length", "answer"]
"""Why a step ended: at the separator, at the model's own end, at the token limit, or (set by the search) with the answer."""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one step.

    Attributes:
        temperature: of the language model; 0 is greedy.
        top_p: nucleus mass in (0, 1]; 1 samples from everything.
        max_tokens: most tokens in one step; a step cut there has finish ``length``.
        separator: text that ends a step; empty for none, then only the model's own end or the token limit ends it.
    """

    temperature: float = 0.8
    top_p: float = 1.0
    max_tokens: int = 256
    separator: str = "\n\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One sampled step.

    Attributes:
        token_ids: exactly as sampled, the last one being that which completes the separator, or the end token.
        text: what they spell before the separator or end token; a character that they only begin is left to the next step.
        finish: why it ended.
        log_probs: of each token in ``token_ids`` under the model at temperature 1, in nats; empty if the engine has none.
        rest: what the last token spells after the separator; the text of the next step begins with it.
    """

    token_ids: tuple[int, ...]
    text: str
    finish: Finish
    log_probs: tuple[float, ...] = ()
    rest: str = ""


class Generator(Protocol):
    """Samples steps. Calls made at the same time share the engine's batch."""

    @property
    def name(self) -> str:
        """Model name as a user would write it."""

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and continuation together."""

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation with the model's chat template, ready for the assistant's first token."""

    def token_bytes(self, token_id: int) -> bytes:
        """What this token adds to the text, UTF-8 that may begin or end within a character; nothing for a special token."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Sample one step after ``prefix_ids``; cancelling the call stops the sampling.

        The same arguments give the same step. Raises ``ContextTooLong`` when the prefix leaves no room, ``InvalidRequest`` for
        a separator that this engine cannot stop at, ``GeneratorError`` when the engine fails.
        """

    async def ready(self) -> None:
        """Raise ``GeneratorError`` if a call would fail now. Costs no tokens and ends within a few seconds."""

    async def aclose(self) -> None:
        """Free the engine."""
