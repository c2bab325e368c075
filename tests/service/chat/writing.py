"""A generator that writes given texts byte by byte, a server for it in a thread, and a client's view of a stream."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from epf.core.generator import Message, Sampling, Step
from epf.core.reward_model import Score
from epf.service.server import config_of, listen
from epf.service.state import ServerState

EOS = 256
PROMPT = 1000
GUARD_S = 30
TOP = ((b"4", -0.5), (b"\xe2", -1.5), (b"x", -4.0))
"""What a writer lists as the most likely tokens at every position."""
PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"
SOLUTION = "40 + 2 = 42.\n\nThe answer is \\boxed{42}."


class Writer:
    """Writes one of ``texts``, chosen by the first step's seed, one token per byte, then ends.

    ``log_prob`` is every token's; None for an engine that gives none. ``error`` is raised instead of step ``error_at``,
    1-based. Each step but the first waits for ``gate``, if there is one. ``shown`` is what a step shows before it waits, and
    then the first waits as well.
    """

    name = "test/writer"
    context_length = 4096

    def __init__(
        self,
        texts: Sequence[str] = (SOLUTION,),
        *,
        log_prob: float | None = -0.5,
        error: Exception | None = None,
        error_at: int = 1,
        gate: asyncio.Event | None = None,
        shown: Sequence[str] = (),
    ) -> None:
        self._texts = [(*text.encode(), EOS) for text in texts]
        self._log_prob = log_prob
        self._error = error
        self._error_at = error_at
        self._gate = gate
        self._shown = shown
        self.asked: list[tuple[Message, ...]] = []
        self.n_running = 0
        self.waiting = asyncio.Event()

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        self.asked.append(tuple(messages))
        return tuple(PROMPT + byte for message in messages for byte in message.content.encode())

    def token_bytes(self, token_id: int) -> bytes:
        return b"" if token_id == EOS else bytes([token_id])

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        written = tuple(token for token in prefix_ids if token <= EOS)
        n_before = bytes(written).count(b"\n\n") if written else 0
        if self._error is not None and n_before + 1 == self._error_at:
            raise self._error
        for so_far in self._shown if sampling.on_text is not None else ():
            assert sampling.on_text is not None
            sampling.on_text(so_far)
        if self._gate is not None and (written or self._shown):
            self.n_running += 1
            self.waiting.set()
            try:
                await self._gate.wait()
            finally:
                self.n_running -= 1
        following = [text for text in self._texts if text[: len(written)] == written]
        text = following[seed % len(following)] if not written else following[0]
        ids: list[int] = []
        separator = sampling.separator.encode()
        for token in text[len(written) : len(written) + sampling.max_tokens]:
            ids.append(token)
            if token == EOS or (separator and bytes(ids).endswith(separator)):
                break
        log_probs = () if self._log_prob is None else (self._log_prob,) * len(ids)
        top = ((TOP[: sampling.top_log_probs],) * len(log_probs)) if sampling.top_log_probs else ()
        if ids[-1] == EOS:
            return Step(tuple(ids), bytes(ids[:-1]).decode(errors="replace"), "eos", log_probs, top_log_probs=top)
        if separator and bytes(ids).endswith(separator):
            written_text = bytes(ids)[: -len(separator)].decode(errors="replace")
            return Step(tuple(ids), written_text, "separator", log_probs, top_log_probs=top)
        return Step(tuple(ids), bytes(ids).decode(errors="replace"), "length", log_probs, top_log_probs=top)

    async def ready(self) -> None:
        return

    async def aclose(self) -> None:
        return


class Judge:
    """Scores 41 as unlikely and records its problems."""

    name = "test/judge"

    def __init__(self) -> None:
        self.problems: set[str] = set()

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        self.problems.add(problem)
        return Score(0.1 if "41" in steps[-1] else 0.8, 1)

    async def ready(self) -> None:
        return

    async def aclose(self) -> None:
        return


@contextmanager
def serving(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of ``app``, served by uvicorn on a socket in a thread."""
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(config_of(app, ServerState.of(app).settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        host, port = listening.getsockname()
        try:
            while not ServerState.of(app).lifecycle.models:
                time.sleep(0.01)
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=GUARD_S) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def chat(client: httpx.Client, content: Any = PROBLEM, *, model: str = "epf-2", **fields: Any) -> httpx.Response:
    """Request a completion of one message."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return client.post("/v1/chat/completions", json=body)


def completed(client: httpx.Client, content: Any = PROBLEM, **fields: Any) -> dict[str, Any]:
    """The completion of a request that must succeed."""
    response = chat(client, content, **fields)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def answer_tokens(usage: dict[str, Any]) -> int:
    """Number of the sampled tokens that are in the answers."""
    n_tokens: int = usage["completion_tokens"] - usage["completion_tokens_details"]["reasoning_tokens"]
    return n_tokens


def failure(response: httpx.Response) -> dict[str, Any]:
    """The error of a response in the common form."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


def events(text: str) -> list[Any]:
    """Data of the events of a stream, without comments; the last one must be [DONE]."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    assert text.endswith("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


def streamed(client: httpx.Client, content: Any = PROBLEM, **fields: Any) -> list[Any]:
    """Chunks of a streamed completion that must succeed."""
    response = chat(client, content, stream=True, **fields)
    assert response.status_code == 200, response.text
    return events(response.text)


def text_of(chunks: Sequence[Any], index: int = 0, field: str = "content") -> str:
    """The concatenated deltas of one choice."""
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get(field, "") for choice in choices)
