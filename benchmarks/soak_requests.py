"""The mixed requests of the soak: valid, refused and cancelled, each with a text that no other has."""

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.wire import Wire, request

SHORT: dict[str, Any] = {"n_particles": 2, "max_steps": 1, "max_tokens_per_step": 6}
LONG_CJK = (1_000, 15_000)
"""Number of characters of the long Chinese texts. None fits into the context of the embedded models."""

Sender = Callable[[Wire, int, random.Random], Awaitable[str]]
"""Sends request number i on a connection and returns its outcome: a status, or how it was cancelled."""


def problem(i: int, chance: random.Random) -> str:
    """A problem that the embedded pair knows how to read."""
    a, b = chance.randint(2, 99), chance.randint(2, 99)
    return f"There are {a} birds on wire {i}. {b} more birds come. How many birds are there now?"


def cjk(i: int, chance: random.Random) -> str:
    """A long Chinese text."""
    characters = map(chr, chance.choices(range(0x4E00, 0x9FA5), k=chance.randint(*LONG_CJK)))
    return f"{i} {''.join(characters)}"


def asks(method: str, path: str, body: Callable[[int, random.Random], Any] | None = None, **headers: str) -> Sender:
    """A request that is read to its end."""
    sent_headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def send(wire: Wire, i: int, chance: random.Random) -> str:
        content = None if body is None else body(i, chance)
        return str((await wire.ask(method, path, content, sent_headers)).status)

    return send


def posts(path: str, text: Callable[[int, random.Random], str] = problem, **fields: Any) -> Sender:
    """A POST whose body is ``fields``, in which ``{problem}`` stands for the text."""
    return asks("POST", path, lambda i, chance: _filled(fields, text(i, chance)))


def raw(data: bytes) -> Sender:
    """Bytes that are no request; the outcome is the status of the response."""

    async def send(wire: Wire, i: int, chance: random.Random) -> str:
        await wire.close()
        await wire.send(data)
        status = str((await wire.reply()).status)
        await wire.close()
        return status

    return send


def vanishes(path: str, *, after: str, **fields: Any) -> Sender:
    """A client that disconnects in the middle of its body, of its search, or of the response's stream."""

    async def send(wire: Wire, i: int, chance: random.Random) -> str:
        await wire.close()
        data = request("POST", path, json.dumps(_filled(fields, problem(i, chance))).encode())
        await wire.send(data[:-20] if after == "body" else data)
        if after == "stream":
            await wire.some()
        await wire.close(rudely=chance.random() < 0.5)
        return f"vanished in its {after}"

    return send


async def cancels(wire: Wire, i: int, chance: random.Random) -> str:
    """A search that its caller cancels on a second connection."""
    name = f"soak-{i}"
    async with Wire(wire.address) as other:
        await wire.send(request("POST", "/solve", _solve_body(i, chance), {"x-request-id": name}))
        await other.ask("DELETE", f"/solve/{name}")
        return f"cancelled, {(await wire.reply()).status}"


def _solve_body(i: int, chance: random.Random) -> bytes:
    return f'{{"problem": "{problem(i, chance)}", "n_particles": 4}}'.encode()


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, text) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, text) for inner in value]
    return value.replace("{problem}", text) if isinstance(value, str) else value


P = "{problem}"
MESSAGES = [{"role": "user", "content": P}]
SHORT_CHAT = {"max_steps": 1, "max_tokens_per_step": 6}
STEPS = ["{problem} So far nothing.", "1 + 1 = 2."]
TOKENS = {"logprobs": [[-0.1, -0.7], [-2.3], [-3.9]], "entropies": [[0.4, 0.7], [1.5], [2.0]], "advantages": [1.0, -1.0, 1.0]}

SERVE: dict[str, tuple[int, Sender]] = {
    "solve": (8, posts("/solve", problem=P, **SHORT)),
    "solve, streamed": (5, posts("/solve", problem=P, stream=True, **SHORT)),
    "solve, whole": (1, posts("/solve", problem=P, n_particles=2, return_particles=True)),
    "batch": (2, posts("/solve/batch", problems=[P, f"{P} Again?"], n_particles=1, max_steps=1, max_tokens_per_step=8)),
    "score": (6, posts("/score", problem=P, steps=STEPS)),
    "chat": (4, posts("/v1/chat/completions", model="epf-2", messages=MESSAGES, search=SHORT_CHAT)),
    "chat, streamed": (4, posts("/v1/chat/completions", model="epf-2", messages=MESSAGES, stream=True, search=SHORT_CHAT)),
    "responses": (4, posts("/v1/responses", model="epf-2", input=P, search=SHORT_CHAT)),
    "responses, streamed": (2, posts("/v1/responses", model="epf-2", input=P, stream=True, search=SHORT_CHAT)),
    "responses, background": (2, posts("/v1/responses", model="epf-2", input=P, background=True, search=SHORT_CHAT)),
    "completions": (1, posts("/v1/completions", model="stories-generator", prompt=P, max_tokens=8)),
    "entropy": (4, asks("POST", "/entropy/tokens", lambda i, _: {**TOKENS, "names": [f"a{i}", f"b{i}", f"c{i}"]})),
    "probes": (8, asks("GET", "/readyz")),
    "metrics": (2, asks("GET", "/metrics")),
    "models": (3, asks("GET", "/v1/models")),
    "long Chinese problem": (2, posts("/solve", cjk, problem=P, **SHORT)),
    "long Chinese step": (2, posts("/score", cjk, problem="1 + 1?", steps=[P])),
    "long Chinese message": (1, posts("/v1/chat/completions", cjk, model="epf-2", messages=MESSAGES)),
    "unknown field": (4, posts("/solve", problem=P, colour="red")),
    "out of range": (4, posts("/solve", problem=P, n_particles=0)),
    "unknown model": (4, posts("/v1/chat/completions", model=f"no-{P}", messages=MESSAGES)),
    "unknown route": (4, asks("POST", "/nowhere", lambda i, _: {"problem": i})),
    "no such response": (1, asks("GET", "/v1/responses/resp_1")),
    "not JSON": (4, asks("POST", "/solve", lambda i, _: b'{"problem": %d' % i)),
    "not gzip": (2, asks("POST", "/solve", lambda i, _: b"%d" % i, content_encoding="gzip")),
    "body too large": (2, asks("POST", "/solve", lambda i, _: b" " * 300_000)),
    "text too long": (2, posts("/solve", lambda i, _: f"{i} " + "a" * 21_000, problem=P)),
    "entropy, refused": (2, asks("POST", "/entropy/tokens", lambda i, _: {"logprobs": [[float(i + 1)]]})),
    "no head": (3, raw(b"\x16\x03\x01\x02\x00\x01\r\n\r\n")),
    "vanished in its body": (6, vanishes("/solve", after="body", problem=P)),
    "vanished in its search": (6, vanishes("/solve", after="search", problem=P, n_particles=4)),
    "vanished in its stream": (3, vanishes("/solve", after="stream", problem=P, n_particles=4, stream=True)),
    "cancelled": (2, cancels),
}
"""Requests to ``epf serve``: how often each is sent among all, and how."""

SERVE_PRM: dict[str, tuple[int, Sender]] = {
    "score": (50, posts("/score", problem=P, steps=STEPS)),
    "longer score": (10, posts("/score", problem=P, steps=[*STEPS, "2 + 2 = 4.", "3 + 3 = 6.", "The answer is 6."])),
    "probes": (4, asks("GET", "/readyz")),
    "metrics": (1, asks("GET", "/metrics")),
    "long Chinese step": (6, posts("/score", cjk, problem="1 + 1?", steps=[P])),
    "long Chinese problem": (6, posts("/score", cjk, problem=P, steps=["1 + 1 = 2."])),
    "unknown field": (4, posts("/score", problem=P, steps=STEPS, colour="red")),
    "no steps": (4, posts("/score", problem=P, steps=[])),
    "unknown route": (4, asks("POST", "/nowhere", lambda i, _: {"problem": i})),
    "not JSON": (3, asks("POST", "/score", lambda i, _: b'{"problem": %d' % i)),
    "body too large": (2, asks("POST", "/score", lambda i, _: b" " * 300_000)),
    "vanished in its body": (4, vanishes("/score", after="body", problem=P, steps=["1 + 1 = 2."])),
    "vanished in its call": (4, vanishes("/score", after="call", problem=P, steps=["1 + 1 = 2."])),
}
"""Requests to ``epf serve-prm``."""
