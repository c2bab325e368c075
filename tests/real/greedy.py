"""Whether a stepwise search at temperature 0 writes what the server itself writes in one completion of the same chat."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import httpx

from epf import asolve
from epf.core.generator import Generator, Message
from epf.engines.tokenizer import ChatTokenizer
from tests.real.model import MODEL, Server

MAX_TOKENS = 48
N_PARALLEL = {"vllm": 4, "llama.cpp": 1}
"""Number of questions at the same time."""

TIE = {"vllm": 0.05, "llama.cpp": 0.5}
"""Difference of two log probabilities, in nats, below which the order of summation decides.

llama.cpp computes with quantized numbers of the batch, and a prefix that it has in its cache was computed in other batches: the
same greedy request then gives other tokens now and then.
"""

END = 2
"""SmolLM2's end of a turn, ``<|im_end|>``."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote: token ids without its end token (empty if unknown), the text, and whether the model ended it."""

    ids: tuple[int, ...]
    text: str
    ended: bool


async def by_search(generator: Generator, question: str) -> Written:
    """Write with one particle, in steps that end at blank lines."""
    options: dict[str, Any] = {
        "method": "self_consistency",
        "n_particles": 1,
        "temperature": 0.0,
        "max_steps": MAX_TOKENS,
        "system_prompt": "",
    }
    result = await asolve(question, generator=generator, max_tokens_per_particle=MAX_TOKENS, **options)
    (particle,) = result.particles
    ids = tuple(id_ for step in particle.steps for id_ in step.token_ids)
    ended = particle.steps[-1].finish == "eos"
    text = b"".join(map(generator.token_bytes, ids)).decode(errors="ignore")
    return Written(ids[:-1] if ended else ids, text, ended)


async def by_server(client: httpx.AsyncClient, server: Server, question: str) -> Written:
    """Write with one greedy request, whose prompt the server itself renders and tokenizes."""
    messages = [{"role": "user", "content": question}]
    limits = {"temperature": 0, "max_tokens": MAX_TOKENS}
    if server.kind == "vllm":
        chat = {"model": server.model, "messages": messages, "return_token_ids": True, **limits}
        (choice,) = (await _posted(client, f"{server.url}/v1/chat/completions", chat))["choices"]
        return _written(choice["token_ids"], choice["message"]["content"], choice["finish_reason"] == "stop")
    # llama.cpp names only some of a chat's tokens; its own route names all of them.
    rendered = await _posted(client, f"{server.url}/apply-template", {"messages": messages})
    own = {"prompt": rendered["prompt"], "n_predict": MAX_TOKENS, "return_tokens": True, **limits}
    answer = await _posted(client, f"{server.url}/completion", own)
    return _written(answer["tokens"], answer["content"], answer["stop_type"] == "eos")


async def _posted(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(url, json=body, timeout=120)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def _written(ids: list[int], text: str, ended: bool) -> Written:
    """Without the token that ended the turn, and without the replacement of a character that the limit cut."""
    return Written(tuple(ids[:-1] if ended and ids[-1] == END else ids), text.rstrip("\ufffd"), ended)


async def differences(generator: Generator, server: Server, questions: Sequence[str], *, ids: bool) -> list[str]:
    """Describe every question whose answers differ, by token ids or by text alone.

    Where the two likeliest tokens are as good as equal, the last bits of a sum decide, which depend on what else the server
    computes at that moment: such a difference does not count, nor one that is gone when both are asked again.
    """
    gate = asyncio.Semaphore(N_PARALLEL[server.kind])
    tokenizer = ChatTokenizer(MODEL)
    found: list[str] = []

    async def compare(client: httpx.AsyncClient, question: str) -> None:
        async with gate:
            differs = await difference(client, question)
            if differs and await difference(client, question):
                found.append(differs)

    async def difference(client: httpx.AsyncClient, question: str) -> str:
        searched, plain = await by_search(generator, question), await by_server(client, server, question)
        if _same(searched, plain, ids=ids):
            return ""
        common = _n_common(searched, plain, tokenizer, ids=ids)
        prompt = (*tokenizer.render([Message("user", question)]), *plain.ids[:common])
        margin = await _margin(client, server, prompt)
        if margin <= TIE[server.kind]:
            return ""
        return f"{question!r}, from token {common} on, by {margin:.2f} nats:\n  search {searched}\n  server {plain}"

    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for question in questions:
            group.create_task(compare(client, question))
    return found


def _n_common(searched: Written, plain: Written, tokenizer: ChatTokenizer, *, ids: bool) -> int:
    """Number of the server's tokens that the search wrote as well."""
    if ids:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(searched.ids, plain.ids, strict=False)))
    texts = (b"".join(map(tokenizer.token_bytes, plain.ids[:n])).decode(errors="ignore") for n in range(len(plain.ids) + 1))
    return sum(searched.text.startswith(text) for text in texts) - 1


async def _margin(client: httpx.AsyncClient, server: Server, prompt: tuple[int, ...]) -> float:
    """By how much the likeliest next token is likelier than the second, in nats."""
    if server.kind == "vllm":
        body = {"model": server.model, "prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": 2}
        (choice,) = (await _posted(client, f"{server.url}/v1/completions", body))["choices"]
        best = sorted(choice["logprobs"]["top_logprobs"][0].values(), reverse=True)
    else:
        body = {"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": 2}
        (token,) = (await _posted(client, f"{server.url}/completion", body))["completion_probabilities"]
        best = [each["logprob"] for each in token["top_logprobs"]]
    return float(best[0] - best[1])


def _same(searched: Written, plain: Written, *, ids: bool) -> bool:
    """Whether both wrote the same; by text, a longer one may continue one that was cut: texts do not show where tokens end."""
    if ids or searched.ended == plain.ended:
        return searched == plain if ids else _agree(searched.text, plain.text, cut=not plain.ended)
    cut, whole = sorted((searched, plain), key=lambda written: written.ended)
    return whole.text.startswith(cut.text) and len(cut.text) >= len(whole.text) // 2


def _agree(one: str, other: str, *, cut: bool) -> bool:
    short, long = sorted((one, other), key=len)
    return (long.startswith(short) and len(short) >= len(long) // 2) if cut else one == other
