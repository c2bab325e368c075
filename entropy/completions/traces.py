"""Traces from responses of OpenAI-like servers: chat completions, completions and the Responses API, with log probabilities.

A response may stand alone, in a row of the Batch API, in a log next to its request, or in pieces of a stream.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from epf.entropy.completions.native import Row, converted, is_native
from epf.entropy.completions.parts import joined, text_of
from epf.entropy.completions.steps import beginnings, steps_of
from epf.entropy.completions.stream import is_event, whole
from epf.entropy.completions.token import Token, tokens_of
from epf.entropy.core.checks import at_most, refuse
from epf.entropy.trace import MAX_STEPS, Trace


def is_completion(row: Row) -> bool:
    """Whether a row is a response, a piece of a stream, or wraps a response."""
    response, _ = _unwrapped(row)
    return (
        is_event(row)
        or is_native(response)
        or isinstance(response.get("choices"), list)
        or isinstance(response.get("output"), list)
    )


def reports_error(row: Row) -> bool:
    """Whether a row has an error in place of a response."""
    response, _ = _unwrapped(row)
    return "choices" not in response and "output" not in response and bool(response.get("error") or row.get("error"))


def traces_of_completions(rows: Iterable[tuple[int, Row]], field: str = "completions", *, apart: bool = False) -> list[Trace]:
    """One trace for each choice of each response, in order; a response that reports an error has none.

    ``rows`` are numbered, and an error names ``field``, the number of the row, and the path from there. With ``apart``, choices
    of a response whose problem is not known get this name as their problem.

    Raises:
        InvalidRequest: A row is not a response, or its log probabilities are not the logarithms of probabilities.
    """
    found: list[Trace] = []
    for number, row in whole(rows):
        name = f"{field}.{number}"
        traces = _traces(row, name)
        found += (t.model_copy(update={"problem": name}) if apart and t.problem is None else t for t in traces)
    return found


def _traces(row: Row, field: str) -> Iterator[Trace]:
    response, request = _unwrapped(row)
    if isinstance(response.get("choices"), list):
        for i, choice in enumerate(response["choices"]):
            path = f"{field}.choices.{i}"
            if not isinstance(choice, dict):
                raise refuse(path, "is not an object", "give the response as the server sent it")
            tokens = _with_ids(tokens_of(choice.get("logprobs"), f"{path}.logprobs"), choice.get("token_ids"))
            yield _trace(_texts(choice), tokens, response, request, choice.get("finish_reason"))
    elif isinstance(response.get("output"), list):
        text, tokens = "", []
        for i, j, part in _parts(response["output"]):
            text += part["text"] if isinstance(part.get("text"), str) else ""
            tokens += tokens_of(part.get("logprobs"), f"{field}.output.{i}.content.{j}.logprobs")
        yield _trace(["", text], tokens, response, request, response.get("status"))
    elif not reports_error(row):
        raise refuse(field, "has neither choices nor output", "give responses as an OpenAI-like server sends them")


def _unwrapped(row: Row) -> tuple[Row, Row]:
    """The response and the request of a row, which may be a response, a row of the Batch API, or a log of both."""
    response = row
    for name in ("response", "body"):
        if isinstance(response.get(name), dict) and "choices" not in response and "output" not in response:
            response = response[name]
    response = converted(response)
    request = row.get("request", row)
    if isinstance(request, dict) and isinstance(request.get("body"), dict):
        request = request["body"]
    return response, request if isinstance(request, dict) else {}


def _parts(output: list[Any]) -> Iterator[tuple[int, int, Row]]:
    """Texts of a response of the Responses API."""
    for i, item in enumerate(output):
        if isinstance(item, dict) and isinstance(item.get("content"), list) and item.get("type", "message") == "message":
            yield from ((i, j, part) for j, part in enumerate(item["content"]) if isinstance(part, dict))


def _texts(choice: Row) -> list[str]:
    """Reasoning that some servers send apart, and the text of a choice; either may be empty."""
    message = choice.get("message") or choice.get("delta")
    if not isinstance(message, dict):
        message = {"content": choice.get("text")}
    message = joined(message)
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    found = [part for part in (message.get("content"), message.get("refusal")) if isinstance(part, str) and part]
    return [reasoning if isinstance(reasoning, str) else "", "\n\n".join(found)]


def _with_ids(tokens: list[Token], ids: object) -> list[Token]:
    """The tokens with the ids that vLLM sends next to the text, if there is one for each."""
    if not isinstance(ids, list) or len(ids) != len(tokens) or any(type(one) is not int or one < 0 for one in ids):
        return tokens
    return [Token(token.raw, one, token.logprob, token.top) for token, one in zip(tokens, ids, strict=True)]


def _trace(texts: list[str], tokens: list[Token], response: Row, request: Row, finish: object) -> Trace:
    text = "\n\n".join(part for part in texts if part)
    prompt = request.get("prompt")
    if isinstance(prompt, str) and prompt and text.startswith(prompt):  # the server repeats the prompt (echo)
        start = len(prompt.encode("utf-8", "surrogatepass"))
        tokens = [token for token, at in zip(tokens, beginnings(text, tokens), strict=True) if at >= start]
        text = text[len(prompt) :]
    skipped = texts[0] + "\n\n" if all(texts) and _spell(tokens, texts[1]) else ""
    steps, of_step = steps_of(text, tokens, len(skipped.encode("utf-8", "surrogatepass")))
    at_most("completions", len(steps), MAX_STEPS, "steps in one text")
    named = {"model": response.get("model"), "finish_reason": finish}
    return Trace(
        problem=_problem(request),
        steps=steps,
        token_ids=[[token.token_id for token in step if token.token_id is not None] for step in of_step]
        if tokens and all(token.token_id is not None for token in tokens)
        else None,
        logprobs=[[token.logprob for token in step] for step in of_step] if tokens else None,
        top_logprobs=[[list(token.top) for token in step] for step in of_step] if any(token.top for token in tokens) else None,
        labels={name: value for name, value in named.items() if isinstance(value, str)},
    )


def _spell(tokens: list[Token], text: str) -> bool:
    """Whether tokens are those of this text alone, and not also of the reasoning before it."""
    return b"".join(token.raw for token in tokens).strip() == text.encode("utf-8", "surrogatepass").strip()


def _problem(request: Row) -> str | None:
    """Text of the problem: the last message of the user, or the prompt."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        messages = request.get("input")
    if isinstance(messages, list):
        texts = [text_of(one.get("content")) for one in messages if isinstance(one, dict) and one.get("role") == "user"]
        return texts[-1] if texts else None
    return next((request[name] for name in ("problem", "prompt", "input") if isinstance(request.get(name), str)), None)
