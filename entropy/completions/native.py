"""Responses of servers' own APIs, next to the one of OpenAI, in the form of chat completions or of their chunks.

Ollama (``/api/chat``, ``/api/generate``) and llama.cpp (``/completion``) send streams in pieces like whole responses. SGLang
(``/generate``) repeats all of the text in each piece, so that the last one counts. TGI (``/generate``) has whole responses.
"""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def is_native(row: Row) -> bool:
    """Whether a row is a response of one of these servers."""
    return _is_ollama(row) or _is_llama_cpp(row) or _is_sglang(row) or _is_tgi(row)


def converted(row: Row) -> Row:
    """The response as a chat completion or as a chunk of one; any other row as it is."""
    if _is_ollama(row):
        message = row.get("message")
        delta = message if isinstance(message, dict) else {"content": row.get("response")}
        done = (row.get("done_reason") or "stop") if row.get("done") else None
        reasoning = {"reasoning": delta.get("thinking") or row.get("thinking")}
        return _chunk(row, "ollama", {**reasoning, "content": delta.get("content")}, row.get("logprobs"), done)
    if _is_llama_cpp(row):
        ended = (row.get("stop_type") or "stop") if row.get("stop", True) else None
        return _chunk(row, "llama.cpp", {"content": row["content"]}, row["completion_probabilities"], ended)
    if _is_sglang(row):
        return _sglang(row, row["meta_info"])
    if _is_tgi(row):
        return _tgi(row, row.get("details"))
    return row


def _is_ollama(row: Row) -> bool:
    return isinstance(row.get("done"), bool) and (isinstance(row.get("message"), dict) or isinstance(row.get("response"), str))


def _is_llama_cpp(row: Row) -> bool:
    return isinstance(row.get("content"), str) and isinstance(row.get("completion_probabilities"), list)


def _is_sglang(row: Row) -> bool:
    return isinstance(row.get("text"), str) and isinstance(row.get("meta_info"), dict)


def _is_tgi(row: Row) -> bool:
    return isinstance(row.get("generated_text"), str)


def _chunk(row: Row, name: str, delta: Row, entries: object, finish: object) -> Row:
    logprobs = {"content": entries} if isinstance(entries, list) and entries else None
    choice = {"index": row.get("index") or 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    key = f"{name} {row.get('id_slot', '')}"
    return {"id": key, "object": "chat.completion.chunk", "model": row.get("model"), "choices": [choice]}


def _sglang(row: Row, meta: Row) -> Row:
    entries = _triples(meta.get("output_token_logprobs"))
    tops = meta.get("output_top_logprobs")
    if isinstance(tops, list) and len(tops) == len(entries):
        entries = [{**entry, "top_logprobs": _triples(top)} for entry, top in zip(entries, tops, strict=True)]
    reason = meta.get("finish_reason")
    finish = reason.get("type") if isinstance(reason, dict) else reason
    choice = {"text": row["text"], "logprobs": {"content": entries} if entries else None, "finish_reason": finish}
    return {"choices": [choice], "repeats": meta.get("id")}


def _triples(listed: object) -> list[Row]:
    """Tokens that SGLang lists as log probability, id and, on request, text."""
    found = []
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Sequence) and not isinstance(one, str) and len(one) == 3:
            log_prob, token_id, text = one
            found.append({"logprob": log_prob, "token_id": token_id, "token": text or f"token_id:{token_id}"})
    return found


def _tgi(row: Row, details: object) -> Row:
    entries: list[Row] = []
    found = details if isinstance(details, dict) else {}
    tokens, tops = found.get("tokens"), found.get("top_tokens")
    if isinstance(tokens, list) and all(isinstance(token, dict) for token in tokens):
        entries = [_tgi_token(token) for token in tokens]
        if isinstance(tops, list) and len(tops) == len(tokens):
            for entry, top in zip(entries, tops, strict=True):
                entry["top_logprobs"] = [_tgi_token(one) for one in top or () if isinstance(one, dict)]
    choice = {
        "text": row["generated_text"],
        "logprobs": {"content": entries} if entries else None,
        "finish_reason": found.get("finish_reason"),
    }
    return {"choices": [choice]}


def _tgi_token(token: Row) -> Row:
    return {"token": token.get("text"), "token_id": token.get("id"), "logprob": token.get("logprob")}
