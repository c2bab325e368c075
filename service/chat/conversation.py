"""The conversation in the form that the two models read."""

from collections.abc import Sequence

from epf.core.errors import ContextTooLong, InvalidRequest, SearchServiceError
from epf.core.generator import Generator, Message
from epf.service.chat.request import ChatMessage
from epf.service.settings import Settings

SPEAKERS = {"user": "User", "assistant": "Assistant"}


def prompt_of(messages: Sequence[ChatMessage], settings: Settings) -> tuple[Message, ...]:
    """The messages for the generator.

    Raises:
        InvalidRequest: there are too many messages, a message is too long, or no message of the user has any text.
    """
    if len(messages) > settings.max_messages:
        message = f"`messages` may have at most {settings.max_messages} messages, got {len(messages)}: send fewer."
        raise InvalidRequest(message, param="messages")
    for index, turn in enumerate(messages):
        if len(turn.content) > settings.max_problem_chars:
            field = f"messages.{index}.content"
            message = f"`{field}` may have at most {settings.max_problem_chars} characters: shorten it."
            raise InvalidRequest(message, param=field)
    if not any(turn.role == "user" and turn.content.strip() for turn in messages):
        raise InvalidRequest(
            "`messages` must contain a message of the user that is not empty: add the question.", param="messages"
        )
    return tuple(Message("system" if turn.role == "developer" else turn.role, turn.content) for turn in messages)


def problem_of(prompt: Sequence[Message]) -> str:
    """The problem for the reward model. This is our convention, since such models are trained on single questions.

    A single message of the user is the problem itself. For a longer conversation it is the transcript, with the speaker before
    each message. System prompts address the generator and are left out.
    """
    turns = [message for message in prompt if message.role != "system"]
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{SPEAKERS[turn.role]}: {turn.content}" for turn in turns)


def check_context(prompt: Sequence[Message], generator: Generator) -> None:
    """Refuse a conversation that the generator cannot read, before a stream begins.

    Raises:
        ContextTooLong: the conversation fills the generator's context.
        InvalidRequest: the model's chat template refuses it; some refuse a system prompt or two messages of one speaker.
    """
    try:
        n_tokens = len(generator.prompt_ids(prompt))
    except SearchServiceError:
        raise
    except Exception:
        message = (
            "The model's chat template refuses this conversation: try it without a system prompt and with alternating speakers."
        )
        raise InvalidRequest(message, param="messages") from None
    if n_tokens >= generator.context_length:
        # Clients such as litellm recognise this error by the first words of OpenAI's message.
        message = f"This model's maximum context length is {generator.context_length} tokens."
        raise ContextTooLong(f"{message} However, your messages have {n_tokens} tokens: shorten them.", param="messages")
