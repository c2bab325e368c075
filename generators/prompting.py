r"""What a generator reads before a conversation: a system prompt, and examples of solved problems.

A chat model that is not asked for a form separates no steps and boxes no answer, so that its answers are hard to find. The
system prompt asks for both. A conversation that has a system message of its own keeps it instead. Examples follow the system
message and show the form; small models follow them where they do not follow instructions.

Some chat templates refuse system messages or leave them out without a word (Gemma, the first Mistral). For these the system
message becomes the beginning of the first message of the user.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from epf.core.errors import ContextTooLong, InvalidRequest
from epf.core.generator import Generator, GeneratorWrapper, Message

DEFAULT_SYSTEM_PROMPT = (
    "Solve the problem step by step. Separate the steps by blank lines. End with the final answer in \\boxed{}."
)
"""Used where neither the settings nor the request nor the conversation have a system prompt."""


class PromptingGenerator(GeneratorWrapper):
    """A generator that reads a system prompt and examples before each conversation.

    Args:
        inner: closed with this object.
        system_prompt: system message of conversations that have none; empty for none.
        examples: messages of user and assistant in turn.
    """

    def __init__(self, inner: Generator, system_prompt: str, examples: Sequence[Message] = ()) -> None:
        super().__init__(inner)
        self._system_prompt = system_prompt
        self._examples = tuple(examples)

    @property
    def description(self) -> str:
        """What was found out about the inner model, and what it reads in addition to the default system prompt."""
        own = ["a system prompt from the settings"] if self._system_prompt not in ("", DEFAULT_SYSTEM_PROMPT) else []
        examples = [f"{len(self._examples)} messages of examples"] if self._examples else []
        return ", ".join([super().description, *own, *examples])

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Render a conversation after the system prompt and the examples."""
        introduced = introduce(messages, self._system_prompt, self._examples)
        return self._inner.prompt_ids(introduced if self._reads_system_messages else without_system(introduced))

    def check_room(self) -> None:
        """Raise ``InvalidRequest`` if system prompt and examples leave the shortest problem no room in the context."""
        try:
            n_tokens = len(self.prompt_ids([Message("user", "1")]))
        except ContextTooLong as error:
            raise InvalidRequest(f"System prompt and examples: {error.message}", param="generator.examples") from error
        if n_tokens >= self.context_length:
            message = (
                f"System prompt and examples have {n_tokens} tokens, and the context of {self.name} has {self.context_length}. "
                "Use fewer or shorter examples in generator.examples (EPF_GENERATOR__EXAMPLES)."
            )
            raise InvalidRequest(message, param="generator.examples")

    @cached_property
    def _reads_system_messages(self) -> bool:
        """Whether the model's chat template writes what a system message holds."""
        try:
            one, other = (self._inner.prompt_ids([Message("system", text), Message("user", "1")]) for text in ("a", "b"))
        except Exception:  # a template may fail in any way on a role that it does not know
            return False
        return one != other


def introduce(messages: Sequence[Message], system_prompt: str, examples: Sequence[Message]) -> tuple[Message, ...]:
    """``messages`` after a system message and the examples. A system message of the conversation, wherever it is, wins."""
    n_first = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    first = list(messages[:n_first])
    if system_prompt and all(message.role != "system" for message in messages):
        first = [Message("system", system_prompt)]
    return (*first, *examples, *messages[n_first:])


def without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    """``messages`` with the system messages at the head of the first message of the user."""
    system = [message.content for message in messages if message.role == "system" and message.content.strip()]
    others = [message for message in messages if message.role != "system"]
    for i, message in enumerate(others):
        if message.role == "user":
            others[i] = replace(message, content="\n\n".join([*system, message.content]))
            break
    return tuple(others)
