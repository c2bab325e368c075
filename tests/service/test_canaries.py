"""Canary words in everything that a caller can write: none of them appears in a log, and errors reveal no secret."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import running
from tests.service.talkative import KEY

ROOT = Path(__file__).parent.parent.parent
GUARD_S = 60
FAILURES = ("bug", "midway", "broken", "unjudged", "forgotten", "fine")


@contextmanager
def talkative() -> Iterator[tuple[str, list[str]]]:
    """Address of the server, and the lines of its standard error, which are complete once it has ended.

    They are read all the time: a server cannot go on when nobody takes its lines.
    """
    command = [sys.executable, "-m", "tests.service.talkative"]
    with running(command, cwd=ROOT, stderr=subprocess.PIPE) as server:
        lines: list[str] = []
        address: Future[str] = Future()

        def read() -> None:
            assert server.stderr is not None
            for text in server.stderr:
                lines.append(text)
                if found := re.search(r"running on (http://[\d.:]+)", text):
                    address.set_result(found[1])

        reading = threading.Thread(target=read)
        reading.start()
        try:
            yield address.result(GUARD_S), lines
        finally:
            server.terminate()
            reading.join(GUARD_S)


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every place that accepts text, with each way to fail."""
    for failure in FAILURES:
        problem = f"canary-problem {failure}"
        messages = [{"role": "system", "content": "canary-system"}, {"role": "user", "content": problem}]
        for stream in (False, True):
            yield "POST", "/solve", {"json": {"problem": problem, "stream": stream, "n_particles": 2, "stop": ["canary-stop"]}}
            chat = {"model": "epf-2", "messages": messages, "stop": "canary-stop", "user": "canary-user", "stream": stream}
            yield "POST", "/v1/chat/completions", {"json": {**chat, "canary-field": "canary-value"}}
        yield "POST", "/solve/batch", {"json": {"problems": [{"problem": problem, "custom_id": "canary-custom"}]}}
        yield "POST", "/score", {"json": {"problem": problem, "steps": ["canary-step"]}}
    for path in ("/solve", "/score", "/solve/batch", "/v1/chat/completions"):
        yield "POST", path, {"json": {"problem": ["canary-problem"], "canary-field": "canary-value"}}
        yield "POST", path, {"content": b'{"problem": "canary-problem"', "headers": {"content-type": "application/json"}}
        yield "POST", path, {"content": b"canary-problem" * 100_000}
    yield "POST", "/v1/chat/completions", {"json": {"model": "canary-model", "messages": messages}}
    for path in ("/fails", "/fails/midway"):
        yield "POST", path, {"content": b"canary-problem"}
    for path in ("/canary-path", "/solve/canary-id", "/v1/models/canary-model", "/canary-path/../%63anary-path"):
        yield "DELETE", path, {"params": {"canary-query": "canary-query"}}
        yield "GET", path, {"headers": {"cookie": "canary-cookie", "referer": "canary-referer", "user-agent": "canary-agent"}}
        yield "GET", path, {"headers": {"authorization": "Bearer canary-wrong-key"}}
        yield "CANARY", path, {"headers": {"authorization": "Basic canary-wrong-key", "x-request-id": "canary id"}}


@pytest.mark.slow
def test_logs_never_quote_callers_and_errors_reveal_no_secrets() -> None:
    statuses: dict[int, int] = {}
    with talkative() as (url, lines), httpx.Client(base_url=url, timeout=GUARD_S) as client:
        for method, path, sent in requests():
            sent = {**sent, "headers": {"authorization": f"Bearer {KEY}", **sent.get("headers", {})}}
            try:
                response = client.request(method, path, **sent)
            except httpx.RemoteProtocolError:
                assert path == "/fails/midway", "only a response that had begun is cut off"
                continue
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
            failed = response.status_code >= 400 or '"error"' in response.text or '"failed"' in response.text
            words = set(re.findall(r"canary[-\w]*", response.text))
            # An error may name a field, a model and a problem of a batch.
            assert not failed or words <= {"canary-field", "canary-model", "canary-custom"}, response.text
    log = [json.loads(text) for text in lines]
    assert not [entry for entry in log if "canary" in json.dumps(entry).lower()]
    assert {200, 400, 401, 404, 405, 413, 500, 502} <= statuses.keys()
    messages = {entry["message"].partition(" in talkative.py")[0] for entry in log}
    assert {
        "request",
        "prompt %s",
        "unhandled ValueError",
        "GeneratorError caused by ValueError",
        "Exception in ASGI application",
        "Task exception was never retrieved",
    } <= messages, "the failures were logged"
    assert not [entry for entry in log if (entry["logger"], entry["level"]) == ("library", "debug")]
    assert sum(entry["message"] == "request" for entry in log) == sum(statuses.values()) + 1
    assert all(entry["request_id"] for entry in log if entry["message"] in ("request", "Exception in ASGI application"))
