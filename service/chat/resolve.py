"""A chat request as searches, one per choice: its conversation, its options and its seeds.

Options come from the server's defaults, then the model name, then the request: the fields of the OpenAI API and the ``search``
object, which must not contradict each other. A model name is a search method, optionally with its number of particles, or the
generator for one plain sample.
"""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from epf.core.errors import ContextTooLong, InvalidRequest, ModelNotFound, SearchServiceError
from epf.core.generator import Generator, Message, Role
from epf.search.methods import METHODS
from epf.search.methods.sample import SAMPLE
from epf.search.runner import SearchRequest, render
from epf.service.chat.request import ChatSearch, SampledRequest
from epf.service.effort import Effort
from epf.service.searches.models import Models
from epf.service.searches.resolve import resolve
from epf.service.settings import Settings

SEED_BITS = 53
"""Random seeds have at most this many bits, so that JSON represents them exactly."""

LISTED_PARTICLES = (4, 8, 16, 32)
"""Numbers of particles in the list of models. Any other number up to the server's limit works too."""

METHOD_OF = {name.replace("_", "-"): name for name in METHODS if name != SAMPLE.name}
"""``weighted-best-of-n`` stands for ``weighted_best_of_n``. The plain sample has the name of the generator."""

_NUMBERED = re.compile(r"(?P<method>.+)-(?P<n_particles>[1-9][0-9]{0,8})")

ROLE_OF: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

SPEAKERS = {"user": "User", "assistant": "Assistant"}


class Turn(Protocol):
    """A message as a caller sends it."""

    @property
    def role(self) -> str:
        """The speaker: system, developer, user or assistant."""

    @property
    def content(self) -> str:
        """What was said."""


def prompt_of(messages: Sequence[Turn], settings: Settings, field: str = "messages") -> tuple[Message, ...]:
    """The messages for the generator; ``field`` of the request holds them.

    Raises:
        InvalidRequest: there are too many messages, a message is too long, or no message of the user has any text.
    """
    if len(messages) > settings.max_messages:
        message = f"`{field}` may have at most {settings.max_messages} messages, got {len(messages)}: send fewer."
        raise InvalidRequest(message, param=field)
    for index, turn in enumerate(messages):
        if len(turn.content) > settings.max_problem_chars:
            param = f"{field}.{index}.content"
            message = f"`{param}` may have at most {settings.max_problem_chars} characters: shorten it."
            raise InvalidRequest(message, param=param)
    if not any(turn.role == "user" and turn.content.strip() for turn in messages):
        message = f"`{field}` must contain a message of the user that is not empty: add the question."
        raise InvalidRequest(message, param=field)
    return tuple(Message(ROLE_OF[turn.role], turn.content) for turn in messages)


def problem_of(prompt: Sequence[Message] | str) -> str:
    """The problem for the reward model. This is our convention, since such models are trained on single questions.

    A single message of the user is the problem itself. For a longer conversation it is the transcript, with the speaker before
    each message. System prompts address the generator and are left out. A text that is no conversation is the problem.
    """
    if isinstance(prompt, str):
        return prompt
    turns = [message for message in prompt if message.role != "system"]
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{SPEAKERS[turn.role]}: {turn.content}" for turn in turns)


def check_context(
    prompt: Sequence[Message] | str, system_prompt: str | None, generator: Generator, field: str = "messages", room: int = 0
) -> None:
    """Refuse a conversation that the generator cannot read, before a stream begins; ``field`` of the request holds it.

    ``system_prompt`` is the option of its search, ``room`` the number of tokens that the conversation must leave, in addition
    to the first one of the answer.

    Raises:
        ContextTooLong: the conversation fills the generator's context.
        InvalidRequest: the model's chat template refuses it; some refuse a system prompt or two messages of one speaker.
    """
    try:
        n_tokens = len(render(prompt, system_prompt, generator))
    except InvalidRequest as error:
        if error.param in ("messages", "problem"):
            error.param = field
        raise
    except SearchServiceError:
        raise
    except Exception:
        message = (
            "The model's chat template refuses this conversation: try it without a system prompt and with alternating speakers."
        )
        raise InvalidRequest(message, param=field) from None
    if n_tokens + room >= generator.context_length:
        # Clients such as litellm recognise this error by the first words of OpenAI's message.
        message = f"This model's maximum context length is {generator.context_length} tokens."
        raise ContextTooLong(f"{message} However, your messages have {n_tokens} tokens: shorten them.", param=field)


@dataclass(frozen=True, slots=True)
class Sources:
    """The source of each option of a request.

    Attributes:
        named: options from the model name.
        fields: by option, the field of the OpenAI API that sets it, and its value.
        search: options from the ``search`` object.
        n: number of choices.
        counted: the field that sets that number.
        problem: the field that holds the problem.
        without_effect: fields that were sent and have no effect.
    """

    named: dict[str, Any]
    fields: dict[str, tuple[str, Any]]
    search: dict[str, Any]
    n: int = 1
    counted: str = "n"
    problem: str = "messages"
    without_effect: tuple[str, ...] = ()

    @property
    def choices(self) -> dict[str, Any]:
        """All options that the request sets, by name."""
        return {**self.named, **{option: value for option, (_, value) in self.fields.items()}, **self.search}

    def field_of(self, option: str | None) -> str | None:
        """The field of the request that sets a search option, for errors."""
        if option == "problem":
            return self.problem
        if option not in ChatSearch.model_fields:
            return option
        if option == "n_particles" and self.n > 1:
            return self.counted
        if option in self.search or (option not in self.fields and option not in self.named):
            return f"search.{option}"
        return self.fields[option][0] if option in self.fields else "model"

    def rename_param(self, error: SearchServiceError) -> None:
        """Replace the search option in ``error`` by the field of the request."""
        error.param = self.field_of(error.param)

    def with_effort(self, field: str, effort: Effort | None, settings: Settings) -> "Sources":
        """These sources and a reasoning effort, which ``field`` sets.

        Raises:
            InvalidRequest: the model name or the search object sets another number of particles.
        """
        if effort is None:
            return self
        method = METHODS.get(self.choices["method"])
        if method is not None and not method.reads("n_particles"):
            return replace(self, without_effect=(*self.without_effect, field))
        n_particles = settings.effort.of(effort, max(settings.max_particles // self.n, 1))
        given = self.choices.get("n_particles", n_particles)
        if given != n_particles:
            source = "search.n_particles" if "n_particles" in self.search else "model"
            message = f"`{field}` {effort} stands for {n_particles} particles, but `{source}` asks for {given}"
            raise InvalidRequest(f"{message}: send one of them.", param=field)
        return replace(self, fields={**self.fields, "n_particles": (field, n_particles)})


def sources_of(
    body: SampledRequest,
    limit: tuple[str, int | None],
    settings: Settings,
    models: Models,
    *,
    n_prompts: int = 1,
    problem: str = "messages",
    top: tuple[str, int | None] = ("top_logprobs", None),
) -> Sources:
    """Options of ``body`` with their sources.

    Args:
        body: the request.
        limit: the field with the maximum number of tokens of an answer, and its value.
        settings: those of the server.
        models: those of the server.
        n_prompts: number of prompts; each has its own choices.
        problem: the field that holds the problem.
        top: the field with the number of most likely tokens to list for each token of the answer, and its value.

    Raises:
        ModelNotFound: there is no model of that name, or it needs a reward model, which is missing.
        InvalidRequest: two fields contradict each other.
    """
    named = options_of(body.model, models, settings.max_particles)
    given = {
        "temperature": ("temperature", body.temperature),
        "top_p": ("top_p", body.top_p),
        "seed": ("seed", body.seed),
        "stop": ("stop", None if body.stop is None else tuple(body.stop)),
        "max_tokens_per_particle": limit,
        **top_options(*top),
    }
    counted = "n" if n_prompts == 1 else problem
    return Sources(named, *given_options(given, body.search), n=body.n * n_prompts, counted=counted, problem=problem)


def top_options(field: str, n: int | None) -> dict[str, tuple[str, Any]]:
    """The options, with their source, for which a generator lists the ``n`` most likely tokens; none unless n is above 0."""
    return {"logprobs": (field, True), "top_logprobs": (field, n)} if n else {}


def given_options(
    given: Mapping[str, tuple[str, Any]], search: ChatSearch | None
) -> tuple[dict[str, tuple[str, Any]], dict[str, Any]]:
    """The options that fields of the OpenAI API set, without null fields, and those of the search object.

    Raises:
        InvalidRequest: the two contradict each other.
    """
    fields = {option: (field, value) for option, (field, value) in given.items() if value is not None}
    chosen = {} if search is None else search.chosen()
    for option, (field, value) in fields.items():
        if option in chosen and chosen[option] != value:
            message = f"`{field}` and `search.{option}` are the same option with different values: send one of them."
            raise InvalidRequest(message, param=f"search.{option}")
    return fields, chosen


def requests_of(
    prompt: tuple[Message, ...] | str, sources: Sources, settings: Settings, models: Models
) -> tuple[SearchRequest, ...]:
    """One search per choice, identical except for the seed.

    Raises:
        InvalidRequest: an option is out of range, the request exceeds a limit of the server or has two system prompts, or its
            method needs a reward model, which is missing.
    """
    if (sources.search.get("system_prompt") or "").strip():
        if isinstance(prompt, str):
            message = "`search.system_prompt`: the generator continues a text as it is: leave it out or name a search method."
            raise InvalidRequest(message, param="search.system_prompt")
        if any(message.role == "system" for message in prompt):
            both = f"`search.system_prompt` and the system message in `{sources.problem}`"
            raise InvalidRequest(f"{both} contradict each other: send one of them.", param="search.system_prompt")
    try:
        request = resolve(
            problem_of(prompt),
            sources.choices,
            settings,
            has_reward_model=models.has_reward_model,
            context_length=models.generator.context_length,
            prompt=prompt,
            n_searches=sources.n,
        )
        models.check(request.method)
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


def is_search(model: str) -> bool:
    """Whether a model name asks for a search method, with or without a number of particles."""
    return _named(model)[0] in METHOD_OF


def _named(model: str) -> tuple[str, dict[str, int]]:
    """The method that a model name begins with, which may not exist, and the number of particles that it ends with, if any."""
    numbered = None if model in METHOD_OF else _NUMBERED.fullmatch(model)
    return (numbered["method"], {"n_particles": int(numbered["n_particles"])}) if numbered else (model, {})


def options_of(model: str, models: Models, max_particles: int) -> dict[str, Any]:
    """Search options that a model name stands for. The generator's own name is the plain model, which gets no system prompt.

    Raises:
        ModelNotFound: there is no such model, it has more particles than this server allows, or it needs a reward model,
            which is missing.
    """
    if model == models.generator.name:
        return {"method": SAMPLE.name, "system_prompt": ""}
    name, n_particles = _named(model)
    if name not in METHOD_OF or n_particles.get("n_particles", 0) > max_particles:
        unknown = f"The model `{model[:100]}` does not exist or you do not have access to it"
        fix = f"a model has at most {max_particles} particles" if name in METHOD_OF else "/v1/models lists the models"
        raise ModelNotFound(f"{unknown}: {fix}.", param="model")
    method = METHODS[METHOD_OF[name]]
    try:
        models.check(method)
    except InvalidRequest as error:
        raise ModelNotFound(f"The model `{model}` is not served. {error.message}", param="model") from None
    return {"method": method.name, **n_particles}


def model_names(models: Models, max_particles: int) -> Iterator[str]:
    """The generator, then each method that is served, without and with the listed numbers of particles."""
    yield models.generator.name
    for name, method in METHOD_OF.items():
        if models.serve(METHODS[method]):
            yield name
            yield from (f"{name}-{n}" for n in LISTED_PARTICLES if n <= max_particles)
