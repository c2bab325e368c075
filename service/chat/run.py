"""One chat request: its checks, and its response in one piece."""

import time
import uuid
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from epf.search.events import Event
from epf.search.result import SearchResult
from epf.service.chat.choices import Choices, fingerprint
from epf.service.chat.progress import Progress
from epf.service.chat.request import ChatRequest, ChatSearch
from epf.service.chat.resolve import check_context, prompt_of, requests_of, sources_of
from epf.service.chat.response import AnswerMessage, ChatCompletion, Choice, Logprobs, SearchOut, finish_reason
from epf.service.chat.unsupported import check_supported
from epf.service.searches.lease import Lease
from epf.service.searches.models import Models
from epf.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request that passed all checks, with its searches.

    Attributes:
        fingerprint: version of this server and names of its models.
        id, created: id and creation time of the response and all its chunks.
    """

    body: ChatRequest
    choices: Choices
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def search(self) -> ChatSearch:
        """The request's search object, empty without one."""
        return self.body.search or ChatSearch()


def chat_of(body: ChatRequest, settings: Settings, models: Models) -> Chat:
    """Check everything that can be refused before a token is generated.

    Raises:
        InvalidRequest: a field is not supported, out of range or contradicts another one, or the request is too large.
        ModelNotFound: there is no such model.
        ContextTooLong: the conversation fills the generator's context.
    """
    check_supported(body)
    limit = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    sources = sources_of(body, (limit, getattr(body, limit)), settings, models, top=("top_logprobs", body.top_logprobs))
    sources = sources.with_effort("reasoning_effort", body.reasoning_effort, settings)
    prompt = prompt_of(body.messages, settings)
    requests = requests_of(prompt, sources, settings, models)
    check_context(prompt, requests[0].options.system_prompt, models.generator)
    return Chat(body, Choices(sources, requests, models.generator), fingerprint(models))


async def complete(chat: Chat, leasing: AbstractAsyncContextManager[Lease]) -> ChatCompletion:
    """Run the searches of all choices and build the response. Raises what :func:`epf.asolve` raises."""
    choices = chat.choices
    progress = [Progress() for _ in choices.requests]
    lines: list[list[str]] = [[] for _ in choices.requests]

    def observe(choice: int, event: Event) -> None:
        if chat.search.progress:
            lines[choice].append(progress[choice].line(event) or "")

    results = await choices.results(leasing, observe)
    return ChatCompletion(
        id=chat.id,
        object="chat.completion",
        created=chat.created,
        model=chat.body.model,
        system_fingerprint=chat.fingerprint,
        choices=[_choice(chat, index, result, "".join(lines[index])) for index, result in enumerate(results)],
        usage=choices.usage(results),
    )


def _choice(chat: Chat, index: int, result: SearchResult, progress: str) -> Choice:
    reasoning = {"reasoning_content": progress} if chat.search.progress else {}
    return Choice(
        index=index,
        message=AnswerMessage(role="assistant", content=result.solution, refusal=None, **reasoning),
        finish_reason=finish_reason(result),
        logprobs=Logprobs.of(chat.choices.tokens(result)) if chat.body.logprobs else None,
        search=SearchOut.of(result, particles=chat.search.shows_particles),
    )
