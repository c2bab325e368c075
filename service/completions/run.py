"""One completion request: its checks, and its response in one piece."""

import time
import uuid
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.search.methods.sample import SAMPLE
from epf.search.result import SearchResult
from epf.search.runner import SearchRequest
from epf.service.chat.choices import Choices, fingerprint
from epf.service.chat.request import MAX_CHOICES, ChatSearch
from epf.service.chat.resolve import Sources, check_context, requests_of, sources_of
from epf.service.chat.response import SearchOut, finish_reason
from epf.service.chat.unsupported import NEUTRAL, check_neutral
from epf.service.completions.request import CompletionRequest
from epf.service.completions.response import TextChoice, TextCompletion, TextLogprobs
from epf.service.searches.lease import Lease
from epf.service.searches.models import Models
from epf.service.searches.resolve import check_length
from epf.service.settings import Settings

FIELD = "prompt"
DEFAULT_MAX_TOKENS = 16
"""Default of max_tokens for a plain continuation, as in the OpenAI API."""

OWN_NEUTRAL = {name: values for name, values in NEUTRAL.items() if name != "echo"} | {"suffix": ("",)}


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion request that passed all checks, with its searches.

    Attributes:
        fingerprint: version of this server and names of its models.
        id, created: id and creation time of the response and all its chunks.
    """

    body: CompletionRequest
    choices: Choices
    fingerprint: str
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def search(self) -> ChatSearch:
        """The request's search object, empty without one."""
        return self.body.search or ChatSearch()

    def echo(self, index: int) -> str:
        """What precedes the continuation of a choice."""
        return self.body.prompt[index // self.body.n] if self.body.echo else ""


def completion_of(body: CompletionRequest, settings: Settings, models: Models) -> Completion:
    """Check everything that can be refused before a token is generated.

    Raises:
        InvalidRequest: a field is not supported, out of range or contradicts another one, or the request is too large.
        ModelNotFound: there is no such model.
        ContextTooLong: a prompt fills the generator's context.
    """
    _check_supported(body)
    is_plain = body.model == models.generator.name and (body.search is None or "method" not in body.search.chosen())
    max_tokens = DEFAULT_MAX_TOKENS if is_plain and body.max_tokens is None else body.max_tokens
    if is_plain and body.search is not None and "max_tokens_per_particle" in body.search.chosen():
        max_tokens = body.max_tokens
    limit, top = ("max_tokens", max_tokens), ("logprobs", body.logprobs)
    sources = sources_of(body, limit, settings, models, n_prompts=len(body.prompt), problem=FIELD, top=top)
    requests: list[SearchRequest] = []
    for index, text in enumerate(body.prompt):
        check_length(text, settings, FIELD if len(body.prompt) == 1 else f"{FIELD}.{index}")
        requests.extend(_requests(text, sources, settings, models)[: body.n])
    return Completion(body, Choices(sources, tuple(requests), models.generator, len(body.prompt)), fingerprint(models))


async def complete(completion: Completion, leasing: AbstractAsyncContextManager[Lease]) -> TextCompletion:
    """Run all searches and build the response. Raises what :func:`epf.asolve` raises."""
    results = await completion.choices.results(leasing)
    return TextCompletion(
        id=completion.id,
        object="text_completion",
        created=completion.created,
        model=completion.body.model,
        system_fingerprint=completion.fingerprint,
        choices=[_choice(completion, index, result) for index, result in enumerate(results)],
        usage=completion.choices.usage(results),
    )


def _choice(completion: Completion, index: int, result: SearchResult) -> TextChoice:
    with_logprobs = completion.body.logprobs is not None
    return TextChoice(
        index=index,
        text=completion.echo(index) + result.solution,
        logprobs=TextLogprobs.of(completion.choices.tokens(result)) if with_logprobs else None,
        finish_reason=finish_reason(result),
        search=SearchOut.of(result, particles=completion.search.shows_particles),
    )


def _requests(text: str, sources: Sources, settings: Settings, models: Models) -> tuple[SearchRequest, ...]:
    """Searches for one prompt: a plain sample continues it as a text, a method solves it as a problem."""
    prompt = text if sources.choices["method"] == SAMPLE.name else (Message("user", text),)
    requests = requests_of(prompt, sources, settings, models)
    try:
        check_context(prompt, requests[0].options.system_prompt, models.generator, FIELD)
    except InvalidRequest as error:
        sources.rename_param(error)
        raise
    return requests


def _check_supported(body: CompletionRequest) -> None:
    sent = body.model_extra or {}
    for name in ("messages", "max_completion_tokens", "reasoning_effort"):
        if name in sent:
            raise InvalidRequest(f"`{name}` is a field of chat completions: leave it out.", param=name)
    check_neutral({name: value for name, value in sent.items() if name != "best_of" or value != body.n}, OWN_NEUTRAL)
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("`stream_options` requires stream: set stream to true or leave it out.", param="stream_options")
    if body.echo and body.logprobs is not None:
        message = "`echo` with logprobs is not supported: a generator here cannot score a prompt. Use tasks that generate."
        raise InvalidRequest(message, param="echo")
    if body.search is not None and body.search.progress:
        message = "`search.progress` is not supported here: a completion has no place for it. Leave it out or use a chat."
        raise InvalidRequest(message, param="search.progress")
    if len(body.prompt) * body.n > MAX_CHOICES:
        message = f"`prompt` and n may come to at most {MAX_CHOICES} choices, got {len(body.prompt)} x {body.n}: send fewer."
        raise InvalidRequest(message, param=FIELD)
