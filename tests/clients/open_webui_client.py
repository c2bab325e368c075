"""Open WebUI's three calls as plain HTTP: its list of models, its chat, and the title that it requests for each chat.

Open WebUI is a web application, too large to install for a test. The calls follow its source
(``backend/open_webui/routers/openai.py``), which shows what it sends and what it reads from a response.
"""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from cases import GUARD_S, KEY, MODEL, PROBLEM, TOO_LONG, messages, report, until_nothing_runs, url

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
    "User-Agent": "Python/3.11 aiohttp/3.12",
    "X-OpenWebUI-User-Name": "Ann",
    "X-OpenWebUI-User-Id": "4a3e8f0e-2f0b-4c3e-9a5c-0f4f7c6a1b2d",
    "X-OpenWebUI-User-Email": "ann@example.org",
    "X-OpenWebUI-User-Role": "user",
    "X-OpenWebUI-Chat-Id": "7d0d0f3e-1111-4222-8333-444455556666",
}
PARTS = [{"type": "text", "text": PROBLEM, "cache_control": {"type": "ephemeral"}}]
CHAT = {
    "stream": True,
    "model": MODEL,
    "messages": [{"role": "system", "content": "Solve it."}, {"role": "user", "content": PARTS}],
    "stream_options": {"include_usage": True},
    "reasoning": {"effort": "low"},
}
TITLE = {
    "model": MODEL,
    "messages": messages(f"### Task:\nGenerate a concise title.\n### Chat History:\nUSER: {PROBLEM}"),
    "stream": False,
    "max_completion_tokens": 40,
}


def called(method: str, path: str, body: Any = None, *, server: str = "real", key: str = KEY) -> http.client.HTTPResponse:
    parts = urlsplit(url(server))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=GUARD_S)
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, f"{parts.path}{path}", content, {**HEADERS, "Authorization": f"Bearer {key}"})
    return connection.getresponse()


def answered(body: Any, **where: Any) -> Any:
    with called("POST", "/chat/completions", body, **where) as response:
        assert response.status == 200, response.read()
        return json.load(response)


def events(body: Any, **where: Any) -> list[Any]:
    """Return the events; Open WebUI reads the lines that begin with ``data: ``."""
    with called("POST", "/chat/completions", body, **where) as response:
        assert response.status == 200
        assert "text/event-stream" in response.headers["content-type"]
        lines = [line.decode().strip() for line in response]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(line) for line in data[:-1]]


def refused(body: Any, status: int, **where: Any) -> Any:
    """Return the error; Open WebUI shows ``error`` itself, or its ``message``."""
    with called("POST", "/chat/completions", body, **where) as response:
        assert response.status == status, response.status
        error = json.load(response)["error"]
        assert error["message"]
        return error


def models() -> None:
    with called("GET", "/models") as response:
        assert response.status == 200
        body = json.load(response)
    assert all(model["id"] and model.get("name", "") is not None for model in body["data"])
    assert "error" not in body


def basic() -> None:
    assert isinstance(answered(TITLE)["choices"][0]["message"]["content"], str)


def stream() -> None:
    chunks = [chunk["choices"][0] for chunk in events(CHAT) if chunk.get("choices")]
    assert "\\boxed" in "".join(choice["delta"].get("content") or "" for choice in chunks)
    shown = events({**CHAT, "search": {"progress": True}})
    assert "".join(c["delta"].get("reasoning_content") or "" for chunk in shown for c in chunk["choices"])


def usage() -> None:
    assert events(CHAT)[-1]["usage"]["total_tokens"] > 0


def three() -> None:
    assert len(answered({**TITLE, "n": 3})["choices"]) == 3


def stop() -> None:
    assert "=" not in answered({**TITLE, "messages": messages(), "stop": ["="]})["choices"][0]["message"]["content"]


def seed_twice() -> None:
    first, second = (answered({**TITLE, "seed": 7})["choices"][0]["message"] for _ in range(2))
    assert first == second


def one_token() -> None:
    assert answered({**TITLE, "max_completion_tokens": 1})["choices"][0]["finish_reason"] == "length"


def bad_model() -> None:
    assert refused({**CHAT, "model": "gpt-4o"}, 404)["code"] == "model_not_found"


def bad_key() -> None:
    assert refused(CHAT, 401, key="wrong")["code"] == "invalid_api_key"
    with called("GET", "/models", key="wrong") as response:
        assert response.status == 401
        assert json.load(response)["error"]["code"] == "invalid_api_key"


def bad_json() -> None:
    assert refused(b'{"model": ', 400)["code"] == "invalid_json"


def too_long() -> None:
    assert refused({**CHAT, "messages": messages(TOO_LONG)}, 400)["code"] == "context_length_exceeded"


def overload() -> None:
    with called("POST", "/chat/completions", CHAT, server="overloaded") as response:
        assert (response.status, response.headers["retry-after"]) == (503, "1")


def fault() -> None:
    assert events(CHAT, server="faulty")[-1]["error"]["code"] == "generator_error"


def disconnect() -> None:
    with called("POST", "/chat/completions", CHAT, server="endless") as response:
        assert response.readline().startswith(b"data: ")
    until_nothing_runs()


report(
    "Open WebUI's calls",
    {
        "models": models,
        "basic": basic,
        "stream": stream,
        "usage": usage,
        "n=3": three,
        "stop": stop,
        "seed twice": seed_twice,
        "one token": one_token,
        "logprobs": "it never requests them",
        "bad model": bad_model,
        "bad key": bad_key,
        "bad JSON": bad_json,
        "too long": too_long,
        "overload": overload,
        "mid-stream fault": fault,
        "disconnect": disconnect,
    },
    otherwise="it never requests them",
)
