"""What servers behind us do that OpenAI's does not, as bytes on the wire: the table of docs/servers.md and of its tests.

Each script is a server: a function from a request to ``/v1/completions`` to its response. Those of chats are in
:mod:`tests.servers.chat_quirks`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.engines.http.server import Answer, Request

Script = Callable[[Request], Answer]

TEXT = "2 + 3 = 5."
"""The step that every script means, if it sends one: its text, ended by a blank line."""


@dataclass(frozen=True)
class Quirk:
    """One kind of difference.

    Attributes:
        name: what these servers do.
        servers: where it was seen.
        result: what epf makes of it.
        scripts: servers that differ in this way.
        error: words of the error that each of them leads to; empty if a step is the result.
        logged: words of the log.
        text: text of the step.
        texts: text of the step by script, where it is another.
    """

    name: str
    servers: str
    result: str
    scripts: Mapping[str, Script]
    error: str = ""
    logged: str = ""
    text: str = TEXT
    texts: Mapping[str, str] = field(default_factory=dict)


def chunk(text: str | None, finish: Any = None, **more: Any) -> dict[str, Any]:
    """The event of one piece of text."""
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish} | more]}


def sse(*events: Any, done: bool = True, end: str = "\n") -> bytes:
    """Events as OpenAI's server sends them."""
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}" for event in events] + ["data: [DONE]"] * done
    return "".join(f"{line}{end}{end}" for line in lines).encode()


PIECES = ("2 + 3", " = 5.")
WHOLE = [*map(chunk, PIECES), chunk("", "stop")]
GOOD = sse(*WHOLE)


def sends(body: Any, **answer: Any) -> Script:
    """A server without token ids that sends one response."""
    return lambda _: Answer(body, **answer)


def refuses(words: Any, *fields: str, status: int = 400) -> Script:
    """A server that refuses requests with one of ``fields``, and then sends a step."""

    def answer(request: Request) -> Answer:
        return Answer(words, status) if any(field in request.body for field in fields) else Answer(GOOD)

    return answer


def refuses_unless(words: Any, fits: Callable[[dict[str, Any]], bool], status: int = 400) -> Script:
    """A server that refuses requests that do not fit, and then sends a step."""
    return lambda request: Answer(GOOD) if fits(request.body) else Answer(words, status)


def error_of(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"} | more}


KNOWN = {"model", "prompt", "messages", "max_tokens", "temperature", "top_p", "n", "stream", "stop", "seed", "logprobs"}
"""Fields that a strict server knows."""


def _one_by_one(request: Request) -> Answer:
    """A strict server: it names one unknown field at a time."""
    unknown = next((name for name in request.body if name not in KNOWN), None)
    return Answer(GOOD) if unknown is None else Answer(error_of(f"Unrecognized request argument supplied: {unknown}"), 400)


def _all_at_once(request: Request) -> Answer:
    """A server that validates with pydantic: it locates all unknown fields."""
    detail = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": "x"}
        for name in request.body
        if name not in KNOWN
    ]
    return Answer({"detail": detail}, 422) if detail else Answer(GOOD)


EXTENSIONS = ("top_k", "min_p", "repetition_penalty", "return_token_ids", "stream_interval")

FIELDS = Quirk(
    "It refuses fields or values that other servers need.",
    "OpenAI, Azure, LM Studio, TGI, strict gateways",
    "The field is sent in another form (`top_k` 0 instead of -1) or left out, also by later requests, and what that changes is "
    "logged once. `temperature`, `top_p` and `n` are never dropped.",
    {
        "one unknown field at a time": _one_by_one,
        "all unknown fields at once": _all_at_once,
        "top_k below 0": refuses_unless(error_of("top_k must be >= 0"), lambda body: body.get("top_k", 0) >= 0),
        "top_k of 0 too": refuses_unless({"error": "`top_k` must be strictly positive"}, lambda body: "top_k" not in body, 422),
        "Azure's words": refuses(
            error_of("Unsupported parameter: 'min_p'.", code="unsupported_parameter", param="min_p"), "min_p"
        ),
        "a list of unexpected fields": refuses(
            error_of("Additional properties are not allowed ('min_p', 'top_k' were unexpected)"), "min_p", "top_k"
        ),
        "Go's words": refuses({"error": 'json: unknown field "repetition_penalty"'}, "repetition_penalty"),
        "a keyword argument": refuses(error_of("create() got an unexpected keyword argument 'min_p'"), "min_p", status=500),
        "no field named": refuses({"message": "Bad Request"}, *EXTENSIONS),
        "a large seed": refuses_unless(error_of("seed must be less than 4294967296"), lambda body: body.get("seed", 0) < 2**32),
        "any seed": refuses({"detail": "seed is not supported"}, "seed"),
        "log probabilities": refuses(error_of("`logprobs` is not supported by this model"), "logprobs"),
        "log probabilities as forbidden": refuses(
            error_of("You are not allowed to request logprobs from this model"), "logprobs", status=403
        ),
        "streams": refuses_unless(error_of("'stream' is not supported"), lambda body: "stream" not in body),
    },
)

STREAMS = Quirk(
    "Its stream has another shape.",
    "Azure, Ollama, LM Studio, llama.cpp, SGLang, gateways",
    "Read as complete where the text has ended: by `[DONE]`, by a finish reason, or as one JSON body.",
    {
        "no [DONE]": sends(sse(*WHOLE[:-1], chunk("", "stop"), done=False)),
        "no choices at first": sends(sse({"choices": [], "prompt_filter_results": []}, *WHOLE)),
        "choices null": sends(sse({"choices": None}, *WHOLE)),
        "an event without choices": sends(sse({"type": "ping"}, *WHOLE)),
        "only usage at the end": sends(sse(*WHOLE, {"choices": [], "usage": {"total_tokens": 9}})),
        "usage without choices": sends(sse(*WHOLE, {"usage": {"total_tokens": 9}})),
        "finish sent twice": sends(sse(chunk(TEXT, "stop"), chunk("", "stop"), chunk(None, "stop"))),
        "an empty finish reason": sends(sse(*(chunk(piece, "") for piece in PIECES), chunk("", "stop"))),
        "an empty finish reason throughout": sends(sse(*(chunk(piece, "") for piece in PIECES))),
        "the text null at the end": sends(sse(*WHOLE[:-1], chunk(None, "stop"))),
        "no index": sends(sse(*({"choices": [{"text": piece}]} for piece in PIECES))),
        "one JSON body": sends(json.dumps(chunk(TEXT, "stop")).encode()),
        "one JSON body over several lines": sends(json.dumps(chunk(TEXT, "stop"), indent=1).encode()),
        "one JSON body as status 201": sends(chunk(TEXT, "stop"), status=201),
        "a line of JSON each": sends("\n".join(map(json.dumps, WHOLE)).encode()),
        "the connection stays open": sends(GOOD, drip=b""),
        "open without [DONE]": sends(sse(*WHOLE, done=False), drip=b""),
        "a step and more": sends(sse(chunk(TEXT), chunk("\n"), chunk("\nSo"), chunk(" 5")), drip=b": ping\n\n"),
        "a blank line in one piece": sends(sse(chunk(f"{TEXT}\n\nSo 5."), chunk("", "length"))),
    },
)

SSE = Quirk(
    "It uses other parts of the standard of server-sent events.",
    "any; proxies in front of them",
    "The whole standard is read.",
    {
        "a byte order mark": sends(b"\xef\xbb\xbf" + GOOD),
        "carriage returns and line feeds": sends(sse(*WHOLE, end="\r\n")),
        "carriage returns": sends(sse(*WHOLE, end="\r")),
        "comments that keep the connection open": sends(b": hello\n\n" + GOOD.replace(b"\n\n", b"\n\n: ping\n\n")),
        "names, ids and delays": sends(b"retry: 5\nid: 1\nevent: completion\n" + GOOD),
        "no space after the colon": sends(GOOD.replace(b"data: ", b"data:")),
        "data in several lines": sends(GOOD.replace(b'"choices": ', b'"choices":\ndata: ')),
        "empty data": sends(b"data\n\ndata:\n\n" + GOOD),
        "no blank lines between events": sends(GOOD.replace(b"\n\n", b"\n") + b"\n"),
        "no blank line at the end": sends(GOOD.rstrip(b"\n")),
        "fields of its own": sends(b"x-trace: {}\n" + GOOD),
    },
)

IDS = Quirk(
    "It does not take token ids.",
    "OpenAI, Ollama, LM Studio, TGI, SGLang",
    "The prompt is sent as text, from then on always. llama.cpp takes ids, and those that it samples are read from its log "
    "probabilities.",
    {
        "400": refuses_unless(error_of("prompt must be text"), lambda body: isinstance(body["prompt"], str)),
        "422": refuses_unless(
            {"detail": [{"loc": ["body", "prompt"], "msg": "str type expected", "type": "type_error.str"}]},
            lambda body: isinstance(body["prompt"], str),
            422,
        ),
        "500": refuses_unless({"error": "TypeError"}, lambda body: isinstance(body["prompt"], str), 500),
        "500 in plain text": refuses_unless(b"Internal Server Error", lambda body: isinstance(body["prompt"], str), 500),
        "ids without a word": sends(GOOD),
    },
    logged="supports only text",
)

STOPS = Quirk(
    "It stops at a text of its own, or reports the end in other words.",
    "vLLM and SGLang with stops of their own, TGI, Mistral",
    "A stop at the separator ends the step, one at other blank space does not, and the model's own end is known in all words.",
    {
        "stop_reason": sends(sse(chunk(TEXT, "stop", stop_reason="\n\n"))),
        "stop_reason next to the text": sends(sse(chunk(f"{TEXT}\n\n", "stop", stop_reason="\n\n"))),
        "matched_stop": sends(sse(chunk(TEXT), chunk("", "stop", matched_stop="\n\n"))),
        "an object": sends(sse(chunk(TEXT, {"type": "stop", "matched": "\n\n"}))),
    },
)

CONTEXTS = Quirk(
    "It reports in its own words that the prompt is too long.",
    "all",
    "That particle ends with a full context; the search goes on with the others.",
    {
        "OpenAI": sends(
            error_of("This model's maximum context length is 512 tokens.", code="context_length_exceeded"), status=400
        ),
        "vLLM": sends(error_of("512 input tokens", param="input_tokens", code=400), status=400),
        "old vLLM": sends({"object": "error", "message": "maximum context length is 512 tokens", "code": 400}, status=400),
        "SGLang": sends(
            {"error": "The input (600 tokens) is longer than the model's context length (512 tokens)."}, status=400
        ),
        "llama.cpp": sends({"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}, status=400),
        "old llama.cpp": sends(error_of("the request exceeds the available context size. try increasing it"), status=500),
        "llama-cpp-python": sends(error_of("Requested tokens (612) exceed context window of 512"), status=400),
        "TGI": sends({"error": "`inputs` tokens + `max_new_tokens` must be <= 512.", "error_type": "validation"}, status=422),
        "Ollama": sends({"error": "prompt too long; exceeded max context length by 88 tokens"}, status=400),
        "LM Studio": sends({"error": "Trying to keep the first 600 tokens when context the overflows."}, status=400),
        "TensorRT-LLM": sends(b"Prompt length (600) exceeds maximum input length (512).", status=400),
        "a list of errors": sends([error_of("The input token count exceeds the maximum context length")], status=400),
        "within the stream": sends(sse(chunk("2"), {"error": {"code": 400, "message": "context length exceeded"}})),
        "an error event": sends(b'event: error\ndata: {"message": "input is too long for the context window"}\n\n'),
        "an error field": sends(b'error: {"code": 400, "message": "the request exceeds the available context size"}\n\n'),
        "413": sends(b"<html>", status=413),
    },
    error="longer than",
)

REFUSALS = Quirk(
    "It refuses the request for good.",
    "all",
    "No retry, `x-should-retry: false`, and an error with the server's address and words, without keys and prompts.",
    {
        "OpenAI": sends(error_of("Quota is used up, ask Ann."), status=403),
        "insufficient quota": sends(error_of("Quota is used up, ask Ann.", code="insufficient_quota"), status=429),
        "bare": sends({"object": "error", "message": "Quota is used up, ask Ann."}, status=400),
        "a text": sends({"error": "Quota is used up, ask Ann."}, status=402),
        "FastAPI": sends({"detail": "Quota is used up, ask Ann."}, status=404),
        "a validation error": sends({"detail": [{"loc": ["body", "x"], "msg": "Quota is used up, ask Ann."}]}, status=422),
        "errors": sends({"errors": [{"message": "Quota is used up, ask Ann."}]}, status=400),
        "nested twice": sends({"error": {"error": {"message": "Quota is used up, ask Ann."}}}, status=400),
        "a problem document": sends({"title": "Quota is used up, ask Ann.", "status": 401}, status=401),
        "plain text": sends(b"Quota is used up,\r\n ask Ann.", status=400),
        "HTML": sends(
            b"<html><head><title>x</title></head><body><h1>Quota is used up,</h1> ask Ann.</body></html>", status=400
        ),
        "in a body with status 200": sends(error_of("Quota is used up, ask Ann."), status=200),
        "within the stream": sends(sse(error_of("Quota is used up, ask Ann.", code=402))),
    },
    error="Quota is used up, ask Ann.",
    logged="Quota is used up, ask Ann.",
)

SPECIALS = Quirk(
    "Special tokens leak into the text.",
    "llama.cpp, Ollama and others with a wrong template",
    "The turn ends there.",
    {
        "the end of a turn": sends(sse(chunk(f"{TEXT}<|im_end|>\nMore", "length"))),
        "spread over chunks": sends(sse(chunk(f"{TEXT}<|im"), chunk("_end|>"), chunk("", "stop"))),
        "the beginning of a turn": sends(sse(chunk(f"{TEXT}<|im_start|>user", "stop"))),
    },
)

HALVES = Quirk(
    "A character is split between chunks.",
    "vLLM, gateways",
    "The halves are joined; half a character alone is replaced by U+FFFD.",
    {
        "halves in two events": sends(sse(chunk("2\ud83d"), chunk("\ude00."), chunk("", "stop"))),
        "halves in one event": sends(sse(chunk("2\ud83d\ude00."), chunk("", "stop"))),
        "half alone": sends(sse(chunk("2\ud83d."), chunk("", "stop"))),
        "the other half alone": sends(sse(chunk("2\ude00"), chunk(".", "stop"))),
        "halves in one JSON body": sends(chunk("2\ud83d\ude00.", "stop")),
    },
    texts={"half alone": "2\ufffd.", "the other half alone": "2\ufffd."},
    text="2\U0001f600.",
)

COMPLETIONS = (FIELDS, STREAMS, SSE, IDS, STOPS, CONTEXTS, REFUSALS, SPECIALS, HALVES)
"""Quirks of ``/v1/completions``, of which ``/v1/chat/completions`` has all but the ids."""
