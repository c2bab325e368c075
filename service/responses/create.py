"""A request for a response: everything that can be refused before a token is generated."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epf.core.errors import ContextTooLong, InvalidRequest
from epf.service.chat.choices import Choices
from epf.service.chat.resolve import Sources, check_context, given_options, options_of, prompt_of, requests_of, top_options
from epf.service.responses.items import Item, Reference, new_id
from epf.service.responses.request import ReasoningOptions, ResponsesRequest
from epf.service.responses.response import ReasoningOut, ResponseOut, TextFormatOut, TextOut
from epf.service.responses.unsupported import check_supported
from epf.service.searches.models import Models
from epf.service.settings import Settings

FIELD = "input"

MIN_ROOM = 256
"""Tokens for the answer that truncation leaves, unless max_output_tokens is set or the context is small."""


@dataclass(frozen=True, slots=True)
class Creation:
    """A request that passed all checks.

    Attributes:
        conversation: the messages that the generator continues, without the instructions.
        choices: the one search.
        response: the response before the search begins.
    """

    body: ResponsesRequest
    conversation: tuple[Item, ...]
    choices: Choices
    response: ResponseOut


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the caller may refer to.

    Attributes:
        conversation: the conversation up to and including a stored response, by its id; raises for an unknown one.
        item: a message of a stored response, by its id; None for an unknown one.
    """

    conversation: Callable[[str], tuple[Item, ...]]
    item: Callable[[str], Item | None]


def creation_of(body: ResponsesRequest, conversation: tuple[Item, ...], settings: Settings, models: Models) -> Creation:
    """Check a request, whose conversation is known, and resolve its options.

    Raises:
        InvalidRequest: a field is not supported, out of range or contradicts another one, or the request is too large.
        ModelNotFound: there is no such model.
        ContextTooLong: the conversation fills the generator's context.
    """
    check_supported(body)
    sources = _sources(body, settings, models)
    if body.instructions is not None and len(body.instructions) > settings.max_problem_chars:
        message = f"`instructions` may have at most {settings.max_problem_chars} characters: shorten it."
        raise InvalidRequest(message, param="instructions")
    instructions = (Item("", "system", body.instructions),) if body.instructions else ()
    if body.truncation == "auto":
        room = min(body.max_output_tokens or MIN_ROOM, models.generator.context_length // 2)
        system_prompt = sources.choices.get("system_prompt", settings.search.system_prompt)

        def check_room(items: Sequence[Item]) -> None:
            check_context(prompt_of(items, settings, FIELD), system_prompt, models.generator, FIELD, room)

        conversation = _truncated(instructions, conversation, settings.max_messages, check_room)
    prompt = prompt_of((*instructions, *conversation), settings, FIELD)
    (request,) = requests_of(prompt, sources, settings, models)
    check_context(prompt, request.options.system_prompt, models.generator, FIELD)
    choices = Choices(sources, (request,), models.generator)
    reasoning = body.reasoning or ReasoningOptions()
    response = ResponseOut(
        id=new_id("resp"),
        object="response",
        created_at=int(time.time()),
        completed_at=None,
        status="queued" if body.background else "in_progress",
        background=body.background,
        error=None,
        incomplete_details=None,
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=None,
        metadata=body.metadata or {},
        model=body.model,
        output=[],
        parallel_tool_calls=True,
        previous_response_id=body.previous_response_id,
        reasoning=ReasoningOut(effort=reasoning.effort, summary=body.summary),
        service_tier="default",
        store=body.store,
        temperature=request.options.temperature,
        text=TextOut(format=TextFormatOut(type="text")),
        tool_choice="none",
        tools=[],
        top_logprobs=body.top_logprobs or 0,
        top_p=request.options.top_p,
        truncation=body.truncation,
        usage=None,
        user=body.user,
        search=None,
    )
    return Creation(body, conversation, choices, response)


def _sources(body: ResponsesRequest, settings: Settings, models: Models) -> Sources:
    named = options_of(body.model, models, settings.max_particles)
    given = {
        "temperature": ("temperature", body.temperature),
        "top_p": ("top_p", body.top_p),
        "max_tokens_per_particle": ("max_output_tokens", body.max_output_tokens),
        **top_options("top_logprobs", body.top_logprobs),
    }
    sources = Sources(named, *given_options(given, body.search), problem=FIELD)
    effort = None if body.reasoning is None else body.reasoning.effort
    return sources.with_effort("reasoning.effort", effort, settings)


def conversation_of(body: ResponsesRequest, earlier: Earlier) -> tuple[Item, ...]:
    """The conversation that a request continues: that of the previous response, then its input.

    Raises:
        NotFound, InvalidRequest: it refers to what is not stored.
    """
    before = () if body.previous_response_id is None else earlier.conversation(body.previous_response_id)
    return (*before, *(_resolved(item, index, earlier) for index, item in enumerate(body.input)))


def _resolved(item: Item | Reference, index: int, earlier: Earlier) -> Item:
    if isinstance(item, Item):
        return item
    found = earlier.item(item.id)
    if found is None:
        message = f"`input.{index}`: there is no stored message with this id: send the message itself."
        raise InvalidRequest(message, param=f"input.{index}")
    return found


def _truncated(
    instructions: Sequence[Item],
    conversation: tuple[Item, ...],
    max_messages: int,
    check_room: Callable[[Sequence[Item]], None],
) -> tuple[Item, ...]:
    """``conversation`` without its oldest messages, as far as ``check_room`` raises ``ContextTooLong`` for it.

    System messages stay, and so does the last message of the user with what follows it.
    """
    old = [i for i, item in enumerate(conversation) if item.role not in ("system", "developer")]
    last = max((n for n, i in enumerate(old) if conversation[i].role == "user"), default=0)

    def without(n: int) -> tuple[Item, ...]:
        dropped = set(old[:n])
        return tuple(item for i, item in enumerate(conversation) if i not in dropped)

    def fits(n: int) -> bool:
        kept = (*instructions, *without(n))
        if len(kept) > max_messages:
            return False
        try:
            check_room(kept)
        except ContextTooLong:
            return False
        return True

    return without(bisect_left(range(last), True, key=fits))
