"""Streams of responses that were saved piece by piece: their chunks become whole responses again.

Pieces of one stream share an id. A chat chunk has a ``delta`` and a chunk of a completion a ``text`` in each choice; events of
the Responses API have a ``type`` that begins with ``response.``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from epf.entropy.completions.native import Row, converted
from epf.entropy.completions.parts import joined

TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
"""Fields of a chat message that a stream sends in parts."""


def whole(rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Yields complete responses with the number of their first row, in the order of first rows; other rows as they are."""
    ended: dict[int, Row] = {}
    open_at: dict[str, int] = {}
    for number, given in rows:
        row = converted(given)
        if not (is_event(row) or _is_chunk(row)):
            repeated = row.get("repeats")
            ended[number if repeated is None else open_at.setdefault(f"repeats {repeated}", number)] = row
            continue
        key = "response" if is_event(row) else str(row.get("id"))
        known = open_at.get(key)
        if known is None or (not is_event(row) and _begins_again(ended[known], row)) or row.get("type") == "response.created":
            known = open_at[key] = number
            ended[known] = {"parts": {}} if is_event(row) else {**row, "choices": []}
        if is_event(row):
            _add_event(ended[known], row)
        else:
            _add_chunk(ended[known], row)
    for number, row in ended.items():
        yield number, _response(row) if "parts" in row else row


def is_event(row: Row) -> bool:
    """Whether a row is an event of a streamed response of the Responses API."""
    return isinstance(row.get("type"), str) and row["type"].startswith("response.")


def _is_chunk(row: Row) -> bool:
    choices = row.get("choices")
    if not isinstance(choices, list):
        return False
    if str(row.get("object", "")).endswith(".chunk") or any(isinstance(one, dict) and "delta" in one for one in choices):
        return True
    # A whole completion has a reason for its end; a chunk of one has none, except the last.
    return row.get("object") == "text_completion" and "id" in row


def _begins_again(merged: Row, row: Row) -> bool:
    """Whether a row with an id that was used before starts another response: each of its choices has ended, yet says more."""
    ended = {one["index"] for one in merged["choices"] if one.get("finish_reason")}
    given = [one for one in row["choices"] if isinstance(one, dict)]
    return bool(given) and all(str(one.get("index", 0)) in ended and _says(one) for one in given)


def _says(choice: Row) -> bool:
    delta = choice.get("delta")
    return bool(choice.get("text")) or (isinstance(delta, dict) and any(delta.get(name) for name in ("role", *TEXTS)))


def _add_chunk(merged: Row, row: Row) -> None:
    for given in row["choices"]:
        if not isinstance(given, dict):
            continue
        index = str(given.get("index", 0))
        choice = next((one for one in merged["choices"] if one["index"] == index), None)
        if choice is None:
            choice = {"index": index, "logprobs": None}
            merged["choices"].append(choice)
        if isinstance(given.get("delta"), dict):
            delta = joined(given["delta"])
            message = choice.setdefault("message", {})
            for name in TEXTS:
                if isinstance(delta.get(name), str):
                    message[name] = message.get(name, "") + delta[name]
        if isinstance(given.get("text"), str):
            choice["text"] = choice.get("text", "") + given["text"]
        choice["logprobs"] = _joined(choice["logprobs"], given.get("logprobs"))
        choice["finish_reason"] = given.get("finish_reason") or choice.get("finish_reason")


def _joined(one: Any, other: Any) -> Any:
    """Log probabilities of two parts of a text: their lists, one after the other."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other if one is None else one
    joined = dict(one)
    for name, values in other.items():
        before = joined.get(name)
        if isinstance(values, list) and isinstance(before, list):
            joined[name] = before + values
        elif values is not None or before is None:
            joined[name] = values
    return joined


def _add_event(merged: Row, event: Row) -> None:
    if isinstance(event.get("response"), dict):
        merged["response"] = event["response"]
    if event["type"] == "response.output_text.delta":
        place = (str(event.get("output_index", 0)), str(event.get("content_index", 0)))
        part = merged["parts"].setdefault(place, {"type": "output_text", "text": "", "logprobs": []})
        part["text"] += event["delta"] if isinstance(event.get("delta"), str) else ""
        part["logprobs"] += event["logprobs"] if isinstance(event.get("logprobs"), list) else []


def _response(merged: Row) -> Row:
    """The response that its last event repeats, or its parts if that is missing or has no log probabilities."""
    response = merged.get("response", {"object": "response"})
    output = response.get("output")
    complete = [
        part
        for item in (output if isinstance(output, list) else [])
        if isinstance(item, dict) and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and part.get("logprobs")
    ]
    if complete or not merged["parts"]:
        return response if isinstance(output, list) else {**response, "output": []}
    parts = [part for _, part in sorted(merged["parts"].items(), key=lambda one: one[0])]
    return {**response, "output": [{"type": "message", "content": parts}]}
