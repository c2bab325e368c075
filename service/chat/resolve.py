"""A chat request as searches, one per choice: its conversation, its options and its seeds.

Options come from the server's defaults, then the model name, then the request: the fields of the OpenAI API and the ``search``
object, which must not contradict each other. A model name is a search method, optionally with its number of particles, or the
generator for one plain sample.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from epf.core.errors import ContextTooLong, InvalidRequest, ModelNotFound, SearchServiceError
from epf.core.generator import Generator, Message
from epf.search.methods import METHODS
from epf.search.methods.sample import SAMPLE
from epf.search.runner import SearchRequest
from epf.service.chat.request import ChatMessage, ChatRequest, ChatSearch
from epf.service.searches.resolve import resolve
from epf.service.settings import Settings

SEED_BITS = 53
"""Random seeds have at most this many bits, so that JSON represents them exactly."""

LISTED_PARTICLES = (4, 8, 16, 32)
"""Numbers of particles in the list of models. Any other number up to the server's limit works too."""

METHOD_OF = {name.replace("_", "-"): name for name in METHODS if name != SAMPLE.name}
"""``weighted-best-of-n`` stands for ``weighted_best_of_n``. The plain sample has the name of the generator."""

_NUMBERED = re.compile(r"(?P<method>.+)-(?P<n_particles>[1-9][0-9]{0,8})")

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


@dataclass(frozen=True, slots=True)
class Sources:
    """The source of each option of a request.

    Attributes:
        named: options from the model name.
        fields: by option, the field of the OpenAI API that sets it, and its value.
        search: options from the ``search`` object.
        n: number of choices.
    """

    named: dict[str, Any]
    fields: dict[str, tuple[str, Any]]
    search: dict[str, Any]
    n: int

    @property
    def choices(self) -> dict[str, Any]:
        """All options that the request sets, by name."""
        return {**self.named, **{option: value for option, (_, value) in self.fields.items()}, **self.search}

    def field_of(self, option: str | None) -> str | None:
        """The field of the chat request that sets a search option, for errors."""
        if option == "problem":
            return "messages"
        if option not in ChatSearch.model_fields:
            return option
        if option == "n_particles" and self.n > 1:
            return "n"
        if option in self.search or (option not in self.fields and option not in self.named):
            return f"search.{option}"
        return self.fields[option][0] if option in self.fields else "model"

    def rename_param(self, error: SearchServiceError) -> None:
        """Replace the search option in ``error`` by the field of the chat request."""
        error.param = self.field_of(error.param)


def sources_of(body: ChatRequest, settings: Settings, generator: str) -> Sources:
    """Options of ``body`` with their sources.

    Raises:
        ModelNotFound: there is no model of that name.
        InvalidRequest: a field and the search object contradict each other.
    """
    named = options_of(body.model, generator, settings.max_particles)
    limit = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    given = {
        "temperature": ("temperature", body.temperature),
        "top_p": ("top_p", body.top_p),
        "seed": ("seed", body.seed),
        "stop": ("stop", None if body.stop is None else tuple(body.stop)),
        "max_tokens_per_particle": (limit, getattr(body, limit)),
    }
    fields = {option: (field, value) for option, (field, value) in given.items() if value is not None}
    search = {} if body.search is None else body.search.chosen()
    for option, (field, value) in fields.items():
        if option in search and search[option] != value:
            message = f"`{field}` and `search.{option}` are the same option with different values: send one of them."
            raise InvalidRequest(message, param=f"search.{option}")
    return Sources(named, fields, search, body.n)


def requests_of(prompt: tuple[Message, ...], sources: Sources, settings: Settings) -> tuple[SearchRequest, ...]:
    """One search per choice, identical except for the seed.

    Raises:
        InvalidRequest: an option is out of range, or the request exceeds a limit of the server.
    """
    try:
        request = resolve(problem_of(prompt), sources.choices, settings, prompt=prompt, n_searches=sources.n)
    except InvalidRequest as error:
        sources.rename_param(error)
        raise
    options = request.options
    seed = secrets.randbits(SEED_BITS) if options.seed is None else options.seed
    seeds = (seed_of(seed, choice) for choice in range(sources.n))
    return tuple(replace(request, options=options.model_copy(update={"seed": seed})) for seed in seeds)


def seed_of(seed: int, choice: int) -> int:
    """Seed of one choice. Choice 0 uses the seed of the request, so it equals the answer of a request with ``n`` of 1."""
    if choice == 0:
        return seed
    drawn = np.random.SeedSequence(seed, spawn_key=(choice,)).generate_state(1, np.uint64)[0]
    return int(drawn >> np.uint64(64 - SEED_BITS))


def options_of(model: str, generator: str, max_particles: int) -> dict[str, Any]:
    """Search options that a model name stands for.

    Raises:
        ModelNotFound: there is no such model, or it has more particles than this server allows.
    """
    if model == generator:
        return {"method": SAMPLE.name}
    if model in METHOD_OF:
        return {"method": METHOD_OF[model]}
    numbered = _NUMBERED.fullmatch(model)
    if numbered and numbered["method"] in METHOD_OF and int(numbered["n_particles"]) <= max_particles:
        return {"method": METHOD_OF[numbered["method"]], "n_particles": int(numbered["n_particles"])}
    raise ModelNotFound(f"The model `{model[:100]}` does not exist or you do not have access to it.", param="model")


def model_names(generator: str, max_particles: int) -> Iterator[str]:
    """The generator, then each method without and with the listed numbers of particles."""
    yield generator
    for method in METHOD_OF:
        yield method
        yield from (f"{method}-{n}" for n in LISTED_PARTICLES if n <= max_particles)
