"""A server of ``/v1/completions`` over an embedded generator that supports token ids, as vLLM does, or only text."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from tokenizers import Tokenizer

from epf.core.generator import Sampling, Step, TopTokens
from epf.generators.embedded import EmbeddedGenerator

NAME = "tiny"
VOCABULARY = 2048


def completions_app(directory: Path, *, by_ids: bool, refuses_ids: bool = False, asked: list[Any] | None = None) -> FastAPI:
    """Serves the model of ``directory``. Request bodies are appended to ``asked``.

    Without ``by_ids`` it is like llama.cpp: it accepts prompts of ids, unless ``refuses_ids`` is set, and returns text.
    """
    app = FastAPI()
    generator = EmbeddedGenerator(directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"data": [{"id": NAME} | ({"max_model_len": generator.context_length} if by_ids else {})]}

    @app.post("/v1/completions", response_model=None)
    async def completions(request: Request) -> JSONResponse | StreamingResponse:
        body = await request.json()
        if asked is not None:
            asked.append(body)
        assert body["model"] == NAME
        prompt = body["prompt"]
        if not isinstance(prompt, str | list):
            return JSONResponse({"error": {"message": "prompt must be text or ids", "code": 400}}, 400)
        if isinstance(prompt, list) and refuses_ids:
            return JSONResponse({"error": {"message": "prompt must be text", "code": 400}}, 400)
        ids = tuple(prompt if isinstance(prompt, list) else tokenizer.encode(prompt).ids)
        if len(ids) >= generator.context_length:
            return JSONResponse({"error": {"message": "too long", "type": "exceed_context_size_error", "code": 400}}, 400)
        separator = "".join(body.get("stop", [])[:1])
        n_top = body.get("logprobs") or 0
        sampling = Sampling(body["temperature"], body.get("top_p", 1.0), body["max_tokens"], separator, top_log_probs=n_top)
        seeds = range(body.get("seed", 0), body.get("seed", 0) + body.get("n", 1))
        steps = await asyncio.gather(*(generator.step(ids, sampling, seed) for seed in seeds))
        if not body.get("stream"):
            return JSONResponse(_whole(ids, steps, generator, by_ids=by_ids))

        async def events() -> AsyncIterator[str]:
            contents = [_contents(step, index, generator, by_ids=by_ids) for index, step in enumerate(steps)]
            for choice in chain.from_iterable(zip_longest(*contents)):
                if choice is not None:
                    yield f"data: {json.dumps({'choices': [choice]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def _whole(ids: tuple[int, ...], steps: list[Step], generator: EmbeddedGenerator, *, by_ids: bool) -> dict[str, Any]:
    """The response in one piece."""
    choices = []
    for step in steps:
        text = b"".join(map(generator.token_bytes, step.token_ids)).decode(errors="replace")
        choices.append({"text": text, "finish_reason": "length"} | ({"token_ids": list(step.token_ids)} if by_ids else {}))
    return {"choices": choices, "usage": {"prompt_tokens": len(ids)}}


def _contents(step: Step, index: int, generator: EmbeddedGenerator, *, by_ids: bool) -> Iterator[dict[str, Any]]:
    """Contents of the events for one choice, token by token."""
    spelled = b"".join(map(generator.token_bytes, step.token_ids)).decode()
    tops = step.top_log_probs or ((),) * len(step.token_ids)
    pieces = zip(spelled.ljust(len(step.token_ids), "\0"), step.token_ids, step.log_probs, tops, strict=False)
    for character, token_id, log_prob, top in pieces:
        choice: dict[str, Any] = {"index": index, "text": character.strip("\0"), "finish_reason": None}
        named = {"token_logprobs": [log_prob], "top_logprobs": [_listed(token_id, log_prob, top, generator)]}
        yield choice | ({"token_ids": [token_id], "logprobs": named} if by_ids else {})
    last: dict[str, Any] = {"index": index, "text": spelled[len(step.token_ids) :]}
    yield last | {"finish_reason": "length" if step.finish == "length" else "stop", "token_ids": [] if by_ids else None}


def _listed(token_id: int, log_prob: float, top: TopTokens, generator: EmbeddedGenerator) -> dict[str, float]:
    """Tokens by their ids as vLLM lists them: the sampled one first, then the most likely ones."""
    special = iter(range(10**6, 10**6 + len(top)))  # ids of tokens without text: any will do
    of_text = {generator.token_bytes(id_): id_ for id_ in range(VOCABULARY)}
    others = [(of_text[data] if data else next(special), value) for data, value in top]
    return {f"token_id:{id_}": value for id_, value in [(token_id, log_prob), *others]}
