"""The entropy tools over HTTP: the example of every tool, refusals that name row and field, and workers that are killed."""

import asyncio
import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from epf.core.process_pool import ProcessPool
from epf.entropy import worker
from epf.entropy.outcome import Outcome
from epf.entropy.registry import TOOLS
from epf.service.app import create_app
from epf.service.operations.workers import Workers
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import GUARD_S, client_of, posted, served, until

EXAMPLES = {name: tool.example for name, tool in TOOLS.items()}
BODY = EXAMPLES["reconstruction"]

HEAVY = {
    "columns": {f"c{i}": column for i, column in enumerate(np.random.default_rng(0).integers(9, size=(40, 50_000)).tolist())},
    "target": "c0",
}
"""Takes a worker several seconds."""


def app(**settings: Any) -> Any:
    return create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings(**settings))


def ask(name: str, **sent: Any) -> httpx.Response:
    async def post() -> httpx.Response:
        async with client_of(app()) as client:
            return await client.post(f"/entropy/{name}", **sent)

    return asyncio.run(post())


def workers_of_this_process() -> set[int]:
    """Process ids of our workers, from the kernel."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    found = set()
    children: list[str] = []
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():  # a child belongs to the thread that started it
        with suppress(OSError):
            children += (thread / "children").read_text().split()
    for pid in children:
        with suppress(OSError):  # it may end while we look
            if b"entropy/worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(int(pid))
    return found


def test_tools_are_listed_with_their_schemas() -> None:
    async def get() -> httpx.Response:
        async with client_of(app()) as client:
            return await client.get("/entropy")

    listed = asyncio.run(get()).json()["tools"]
    assert [tool["name"] for tool in listed] == list(TOOLS)
    for tool in listed:
        assert set(tool) == {"name", "question", "paper", "endpoint", "input_schema"}
        assert tool["endpoint"] == f"/entropy/{tool['name']}"
        assert tool["question"].endswith("?")
        assert tool["input_schema"]["type"] == "object"


def test_every_tool_answers_its_example() -> None:
    async def post() -> dict[str, httpx.Response]:
        async with client_of(app()) as client:
            return {name: await client.post(f"/entropy/{name}", json=example) for name, example in EXAMPLES.items()}

    for name, response in asyncio.run(post()).items():
        assert response.status_code == 200, response.text
        TOOLS[name].output.model_validate_json(response.content)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"target": "answer"}, "columns", "invalid_value"),
        ({**BODY, "columns": {"answer": [1, 2], "b": [1, 2.5]}}, "columns.b.1", "invalid_value"),
        ({**BODY, "columns": {"answer": [1, 2], "b": [1]}}, "columns.b", "invalid_value"),
        ({**BODY, "min_count": 0}, "min_count", "invalid_value"),
        ({**BODY, "unit": "bans"}, "unit", "invalid_value"),
        ({**BODY, "min_counts": 1}, "min_counts", "unknown_field"),
        ({**BODY, "traces": [{"correct": True}]}, "columns", "invalid_value"),
        ({"traces": [{"correct": True}, {"scores": [0.5, 2.0]}]}, "traces.1.scores.1", "invalid_value"),
        ([], None, "invalid_json"),
    ],
)
@pytest.mark.slow
def test_the_row_and_field_at_fault_are_named(body: Any, param: str | None, code: str) -> None:
    response = ask("reconstruction", json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": \xff}', b"[" * 100_000, b'{"columns": {"a": [' + b"9" * 10_000 + b"]}}"]
)
@pytest.mark.slow
def test_invalid_json_is_refused(content: bytes) -> None:
    response = ask("reconstruction", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_bodies_have_a_limit_of_their_own() -> None:
    limit = len(json.dumps(BODY))

    async def post() -> list[int]:
        async with client_of(app(max_body_bytes=limit - 1, max_entropy_body_bytes=limit)) as client:
            client.headers["content-type"] = "application/json"
            responses = [
                await client.post("/entropy/reconstruction", content=json.dumps(BODY)),
                await client.post("/entropy/reconstruction", content=json.dumps(BODY) + " "),
                await client.post("/score", content=json.dumps(BODY)),
            ]
            return [response.status_code for response in responses]

    assert asyncio.run(post()) == [200, 413, 413]


def test_other_requests_are_answered_meanwhile_and_a_full_queue_refuses() -> None:
    async def post() -> None:
        async with client_of(app(max_entropy_workers=1, max_entropy_waiting=0)) as client:
            heavy = asyncio.create_task(client.post("/entropy/reconstruction", json=HEAVY))
            await until(lambda: bool(workers_of_this_process()))
            assert (await client.get("/healthz")).status_code == 200
            refused = await client.post("/entropy/reconstruction", json=BODY)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "overloaded"
            assert not heavy.done()
            heavy.cancel()
            await asyncio.gather(heavy, return_exceptions=True)
            assert not workers_of_this_process()

    asyncio.run(post())


def test_the_deadline_kills_the_worker() -> None:
    async def post() -> httpx.Response:
        async with client_of(app(max_entropy_seconds=0.01)) as client:
            response = await client.post("/entropy/reconstruction", json=HEAVY)
            assert not workers_of_this_process()
            return response

    response = asyncio.run(post())
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"


def test_a_disconnect_kills_the_worker() -> None:
    async def leave() -> None:
        async with asyncio.timeout(GUARD_S), served(app()) as address:
            async with posted(address, "/entropy/reconstruction", HEAVY):
                await until(lambda: bool(workers_of_this_process()))
            await until(lambda: not workers_of_this_process())

    asyncio.run(leave())


def test_a_call_that_is_cancelled_while_its_process_starts_leaves_none() -> None:
    async def cancel() -> None:
        workers = Workers(2, max_waiting=100, limit_s=GUARD_S)
        body = json.dumps(HEAVY).encode()
        for n_turns in range(40):
            call = asyncio.create_task(workers.run("reconstruction", body))
            for _ in range(n_turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert not workers_of_this_process()
        await workers.aclose()

    asyncio.run(cancel())


@pytest.mark.slow
def test_a_worker_that_was_killed_is_replaced() -> None:
    async def kill() -> None:
        async with client_of(app(max_entropy_workers=1)) as client:
            for _ in range(3):
                assert (await client.post("/entropy/reconstruction", json=BODY)).status_code == 200
                (pid,) = workers_of_this_process()
                assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n", "when memory runs out, it goes before us"
                os.kill(pid, 9)

    asyncio.run(kill())
    assert not workers_of_this_process()


MANY = 300_000

COMPLAINTS = {
    "coupling": b'{"x":[[' + b"{}," * MANY + b"{}]]}",
    "attention": b'{"row_entropies":[' + b"[[true]]," * MANY + b"[]]}",
    "maxent": b'{"traces":[' + b'{"scores":[2]},' * MANY + b"{}]}",
    "tokens": b'{"solved":[{"particles":[' + b"1," * MANY + b"1]}]}",
    "reconstruction": b'{"columns":{' + b",".join(b'"c%d":{}' % i for i in range(MANY)) + b"}}",
    "ranking": b"{" + b",".join(b'"c%d":{}' % i for i in range(MANY)) + b"}",
}
"""Bodies with as many values that are not as they should be."""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLAINTS)
def test_the_first_complaint_alone_leaves_the_worker(name: str) -> None:
    async def ask_worker() -> bytes:
        async with aclosing(ProcessPool(Path(worker.__file__), 1, limit_s=GUARD_S)) as pool:
            return await pool.run(name.encode() + b"\n" + COMPLAINTS[name])

    reply = asyncio.run(ask_worker())
    assert len(reply) < 1000
    outcome = worker.read_reply(reply)
    assert isinstance(outcome, Outcome)
    assert outcome.complaint["loc"]


@pytest.mark.slow
def test_an_answer_leaves_the_worker_as_it_is_sent() -> None:
    async def ask_worker() -> bytes:
        async with aclosing(ProcessPool(Path(worker.__file__), 1, limit_s=GUARD_S)) as pool:
            return await pool.run(b"reconstruction\n" + json.dumps(BODY).encode())

    answer = worker.read_reply(asyncio.run(ask_worker()))
    assert isinstance(answer, memoryview)
    assert bytes(answer) == ask("reconstruction", json=BODY).content


def report(name: str, file: str, **options: Any) -> httpx.Response:
    return ask(f"{name}/report", json={"file": file, "options": options})


def test_every_tool_reports_on_its_example() -> None:
    async def post() -> dict[str, httpx.Response]:
        async with client_of(app()) as client:
            bodies = {name: {"file": json.dumps(example)} for name, example in EXAMPLES.items()}
            return {name: await client.post(f"/entropy/{name}/report", json=body) for name, body in bodies.items()}

    for name, response in asyncio.run(post()).items():
        assert response.status_code == 200, response.text
        found = response.json()
        tool = TOOLS[name]
        answer = tool.answer(tool.input(**tool.example))
        assert found["conclusion"] == tool.conclusion(answer)
        assert found["conclusion"].endswith(".")
        assert found["warnings"] == answer.warnings
        tables = json.loads(json.dumps([[table.title, table.header, table.rows] for table in tool.tables(answer)]))
        assert [[table["title"], table["header"], table["rows"]] for table in found["tables"]] == tables
        assert b64decode(found["picture"]).startswith(b"\x89PNG")


NAMED: dict[str, Callable[[str], dict[str, Any]]] = {
    "features": lambda name: {"activations": [[1.0, 0.0], [0.0, 3.0], [2.0, 2.0]], "groups": [name, name, "other"]},
    "maxent": lambda name: {"chains": [[name, "other", "other"], [name, name, "other"]]},
    "reconstruction": lambda name: {"columns": {name: ["4", "4", "6"], "b": [1, 2, 1]}, "target": name},
    "epiplexity": lambda name: {
        "runs": [{"loss": [3.0, 2.6, 2.4], "name": name, "parameters": 1e6, "tokens": [1e6, 2e6, 4e6]}],
        "test_tokens": 8e6,
    },
}
"""Inputs with a name that a caller chose, which the picture shows."""


@pytest.mark.parametrize("name", NAMED)
def test_a_name_that_is_no_formula_does_not_stop_the_picture(name: str) -> None:
    """Between two dollar signs matplotlib reads a formula, and fails if it is not one."""
    response = report(name, json.dumps(NAMED[name](r"$\frac{a$ and \alpha$5")))
    assert response.status_code == 200, response.text
    assert b64decode(response.json()["picture"]).startswith(b"\x89PNG")


def test_a_report_reads_what_the_command_reads() -> None:
    traces = [{"steps": ["a"], "scores": [score], "correct": score > 0.5} for score in (0.2, 0.4, 0.7, 0.9)]
    lines = "".join(f"{json.dumps(trace)}\n" for trace in traces)
    found = report("reconstruction", lines, bins=2, use=["last_score"], unit="bits").json()
    assert found["conclusion"] == "The columns determine `correct`; what is enough: last_score."
    assert found["tables"][0]["header"][3] == "H(target), bits"


@pytest.mark.parametrize(
    ("name", "file", "options", "param", "words"),
    [
        ("tokens", '{"steps": ["a"]}\n{', {}, "file", "Row 2 of the file is not valid JSON"),
        ("tokens", "", {}, "file", "the file, which is empty"),
        ("attention", '{"steps": ["a"]}', {}, "file", "needs arrays"),
        ("ranking", json.dumps(EXAMPLES["ranking"]), {"tau": 0}, "tau", "must be at least 0.001"),
        ("ranking", json.dumps(EXAMPLES["ranking"]), {"taus": 1}, "taus", "is not a field"),
        ("ranking", '{"student_scores": [[1, "x"]]}', {}, "student_scores.0.1", "must be a finite number"),
    ],
)
def test_a_report_refuses_with_the_field(name: str, file: str, options: dict[str, Any], param: str, words: str) -> None:
    response = report(name, file, **options)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert words in response.json()["error"]["message"]


def test_a_report_needs_a_file_and_a_tool() -> None:
    response = ask("tokens/report", json={"options": {}})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file")
    response = ask("tokes/report", json={"file": "{}"})
    assert (response.status_code, response.json()["error"]["param"]) == (404, "tool")
    assert "tokens" in response.json()["error"]["message"]
