"""Fields of ``POST /v1/responses`` that are refused because they would change the answer, or reported as without effect."""

from collections.abc import Iterator, Mapping
from typing import Any

from epf.core.errors import InvalidRequest
from epf.service.chat.unsupported import BOOKKEEPING, NEUTRAL, check_neutral, header_of
from epf.service.responses.request import LOGPROBS, ResponsesRequest

OWN_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "access_programs": (),
    "context_management": ([],),
    "conversation": (),
    "image": (),
    "n": (1,),
    "prompt": (),
    "logprobs": (False,),
    **NEUTRAL,
}
"""Fields that would change the answer, with the values that would not."""

OTHER_NAMES: Mapping[str, str] = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
}
"""Fields of chat completions, with the name that they have here."""

INCLUDABLE = {
    LOGPROBS,
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
}
"""What the OpenAI API can add to a response. All but the log probabilities belong to items that a search does not have."""


def check_supported(body: ResponsesRequest) -> None:
    """Raise ``InvalidRequest`` for an unsupported field that would change the answer."""
    sent = body.model_extra or {}
    for name, here in OTHER_NAMES.items():
        if name in sent:
            raise InvalidRequest(f"`{name}` is a field of chat completions: send `{here}`.", param=name)
    check_neutral(sent, OWN_NEUTRAL)
    if body.text is not None and body.text.format is not None and body.text.format.type != "text":
        message = "a search compares solutions in plain text; leave it out and read the answer from `search.answer`"
        raise InvalidRequest(f"`text.format` is not supported: {message}.", param="text.format")
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("`stream_options` requires stream: set stream to true or leave it out.", param="stream_options")
    if body.top_logprobs and not body.logprobs:
        message = f"`top_logprobs` requires log probabilities: add {LOGPROBS} to include, or leave it out."
        raise InvalidRequest(message, param="top_logprobs")
    if body.background and not body.store:
        message = "`background` requires store: a response that is not stored could never be read. Set store to true."
        raise InvalidRequest(message, param="background")
    for name in body.include or ():
        if name not in INCLUDABLE:
            message = f"`include` may have {', '.join(sorted(INCLUDABLE))}: leave the others out."
            raise InvalidRequest(message, param="include")


def ignored_header(body: ResponsesRequest, without_effect: tuple[str, ...]) -> dict[str, str]:
    """The response header for a request; ``without_effect`` are further fields that have no effect."""
    return header_of([*_without_effect(body), *without_effect])


def _without_effect(body: ResponsesRequest) -> Iterator[str]:
    yield from sorted((body.model_extra or {}).keys() - BOOKKEEPING - OWN_NEUTRAL.keys())
    yield from (f"include.{name}" for name in body.include or () if name != LOGPROBS)
    for name in ("reasoning", "text", "stream_options"):
        part = getattr(body, name)
        yield from sorted(f"{name}.{field}" for field in (part and part.model_extra) or {})
