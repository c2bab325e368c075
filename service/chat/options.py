"""From a chat request to its searches, one per choice.

Options come from the server's defaults, then the model name, then the request: the fields of the OpenAI API and the ``search``
object, which must not contradict each other.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.generator import Message
from epf.search.request import SearchRequest
from epf.service.chat.conversation import problem_of
from epf.service.chat.model_names import options_of
from epf.service.chat.request import ChatRequest, ChatSearch
from epf.service.searches.resolve import resolve
from epf.service.settings import Settings

SEED_BITS = 53
"""A seed that is drawn here is exact in JSON."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each option of a request came from.

    Attributes:
        named: options that the model name stands for.
        fields: by option, the field of the OpenAI API that gave it and its value.
        search: options of the ``search`` object.
        n: number of choices.
    """

    named: dict[str, Any]
    fields: dict[str, tuple[str, Any]]
    search: dict[str, Any]
    n: int

    @property
    def choices(self) -> dict[str, Any]:
        """All options that were chosen, by name."""
        return {**self.named, **{option: value for option, (_, value) in self.fields.items()}, **self.search}

    def field_of(self, option: str | None) -> str | None:
        """The request's own name of an option of the search, for errors."""
        if option == "problem":
            return "messages"
        if option not in ChatSearch.model_fields:
            return option
        if option == "n_particles" and self.n > 1:
            return "n"
        if option in self.search or (option not in self.fields and option not in self.named):
            return f"search.{option}"
        return self.fields[option][0] if option in self.fields else "model"

    def tell(self, error: SearchServiceError) -> None:
        """Give ``error`` the request's own name of the field."""
        error.param = self.field_of(error.param)


def sources_of(body: ChatRequest, settings: Settings, generator: str) -> Sources:
    """Options of ``body``, each with where it came from.

    Raises:
        ModelNotFound: no model of that name.
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


def orders_of(prompt: tuple[Message, ...], sources: Sources, settings: Settings) -> tuple[SearchRequest, ...]:
    """One search per choice, alike but for the seed.

    Raises:
        InvalidRequest: an option is out of range, or the request larger than the server allows.
    """
    try:
        order = resolve(problem_of(prompt), sources.choices, settings, prompt=prompt, n_searches=sources.n)
    except InvalidRequest as error:
        sources.tell(error)
        raise
    seed = secrets.randbits(SEED_BITS) if order.options.seed is None else order.options.seed
    return tuple(
        replace(order, options=order.options.model_copy(update={"seed": seed_of(seed, choice)})) for choice in range(sources.n)
    )


def seed_of(seed: int, choice: int) -> int:
    """Seed of one choice's search: choice 0 has the request's own, so it is the answer that ``n`` of 1 gives."""
    if choice == 0:
        return seed
    drawn = np.random.SeedSequence(seed, spawn_key=(choice,)).generate_state(1, np.uint64)[0]
    return int(drawn >> np.uint64(64 - SEED_BITS))
