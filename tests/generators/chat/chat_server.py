"""A server of ``/v1/chat/completions`` over an embedded generator, which continues and counts as different servers do."""

import codecs
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from epf.core.generator import Message, Sampling, Step, TopTokens
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.embedded import EmbeddedGenerator

NAME = "tiny"


@dataclass
class Kind:
    """How a server behaves.

    Attributes:
        style: how it has to be asked to continue: ``plain``, ``flags``, ``prefix`` or, with text completions only, ``text``;
            empty if it does not continue.
        usage: when it counts: ``always``, at the ``end``, or never.
        log_probs: whether it returns log probabilities.
        strips: whether its template removes blank space at the end of a message.
        repeats: whether its replies begin with the message that they continue.
        system: whether its template ``reads``, ``ignores`` or ``refuses`` a system message.
        asked: bodies of its requests.
    """

    style: str = "plain"
    usage: str = "always"
    log_probs: bool = True
    strips: bool = False
    repeats: bool = False
    system: str = "reads"
    asked: list[dict[str, Any]] = field(default_factory=list)


def chat_app(directory: Path, kind: Kind) -> FastAPI:
    """Serves the model of ``directory``."""
    app = FastAPI()
    generator = EmbeddedGenerator(directory)
    tokenizer = ChatTokenizer(directory)

    def prompt(body: dict[str, Any]) -> tuple[tuple[int, ...], str]:
        """Ids of the prompt, and the text that a reply begins with."""
        if kind.system == "ignores":
            body["messages"] = [turn for turn in body["messages"] if turn["role"] != "system"]
        *turns, last = body["messages"]
        messages = [Message(turn["role"], turn["content"]) for turn in body["messages"]]
        flags = body.get("continue_final_message") is True and body.get("add_generation_prompt") is False
        asks = {"plain": True, "flags": flags, "prefix": last.get("prefix") is True}.get(kind.style, False)
        if last["role"] != "assistant" or not asks:
            return tokenizer.render(messages), ""
        content = last["content"].rstrip() if kind.strips else last["content"]
        ids = (*tokenizer.render(messages[: len(turns)]), *tokenizer.encode(content))
        return ids, last["content"] if kind.repeats else ""

    async def respond(body: dict[str, Any], ids: tuple[int, ...], begin: str, *, chat: bool) -> Any:
        kind.asked.append(body)
        if len(ids) >= generator.context_length:
            message = f"This model's maximum context length is {generator.context_length} tokens."
            return JSONResponse({"error": {"message": message, "code": "context_length_exceeded"}}, 400)
        n_top = (body.get("top_logprobs", 0) if chat else body["logprobs"]) if body.get("logprobs") else 0
        sampling = Sampling(body["temperature"], body["top_p"], body["max_tokens"], "", top_log_probs=n_top)
        step = await generator.step(ids, sampling, body["seed"])

        async def events() -> AsyncIterator[str]:
            pieces = (
                list(_pieces(step, generator)) if body.get("logprobs") and kind.log_probs else list(_texts(step, generator))
            )
            for n, (text, log_prob, top) in enumerate([(begin, None, ())] * bool(begin) + pieces, 1 - bool(begin)):
                usage = {"prompt_tokens": len(ids), "completion_tokens": n} if kind.usage == "always" else None
                yield _event(text, log_prob, top, None, usage, chat=chat)
            yield _event("", None, (), "length" if step.finish == "length" else "stop", None, chat=chat)
            if kind.usage:
                usage = {"prompt_tokens": len(ids), "completion_tokens": len(step.token_ids)}
                yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"data": [{"id": NAME, "max_model_len": generator.context_length}]}

    if kind.style == "text":

        @app.post("/v1/completions", response_model=None)
        async def completions(request: Request) -> Any:
            body = await request.json()
            return await respond(body, tokenizer.encode(body["prompt"]), "", chat=False)

    else:

        @app.post("/v1/chat/completions", response_model=None)
        async def chat(request: Request) -> Any:
            body = await request.json()
            if kind.system == "refuses" and body["messages"][0]["role"] == "system":
                return JSONResponse({"error": {"message": "System role not supported"}}, 500)
            return await respond(body, *prompt(body), chat=True)

    return app


def _event(
    text: str, log_prob: float | None, top: TopTokens, finish: str | None, usage: dict[str, int] | None, *, chat: bool
) -> str:
    listed = [{"token": data.decode(errors="replace"), "logprob": value, "bytes": list(data)} for data, value in top]
    named = {"content": [{"token": text, "logprob": log_prob, "bytes": list(text.encode()), "top_logprobs": listed}]}
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish, "logprobs": None if log_prob is None else named}
    choice |= {"delta": {"content": text}} if chat else {"text": text}
    return f"data: {json.dumps({'choices': [choice]} | ({'usage': usage} if usage else {}))}\n\n"


def _pieces(step: Step, generator: EmbeddedGenerator) -> Iterator[tuple[str, float | None, TopTokens]]:
    """Texts and log probabilities of the tokens; without a log probability where a token is part of a character."""
    held = b""
    tops = step.top_log_probs or ((),) * len(step.token_ids)
    for token_id, log_prob, top in zip(step.token_ids, step.log_probs, tops, strict=True):
        data = held + generator.token_bytes(token_id)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            held = data
            continue
        if text:
            yield text, None if held else log_prob, top
        held = b""


def _texts(step: Step, generator: EmbeddedGenerator) -> Iterator[tuple[str, float | None, TopTokens]]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token_id in step.token_ids:
        if text := decoder.decode(generator.token_bytes(token_id)):
            yield text, None, ()
