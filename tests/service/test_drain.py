"""A server process and real signals: its states while it starts and stops; it loses no request and leaves no process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from epf.service.app import create_app
from epf.service.searches.lease import Searches
from epf.service.state import ServiceState
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.processes import running
from tests.service.serving import client_of, events_of, searches_of, until

pytestmark = pytest.mark.slow

GUARD_S = 60
ROOT = Path(__file__).parents[2]
MODELS = {"EPF_GENERATOR__KIND": "scripted", "EPF_REWARD_MODEL__KIND": "scripted", "EPF_PORT": "0"}
MODELS |= {"EPF_GENERATOR__SYSTEM_PROMPT": ""}  # the scripted generator reads a problem's first letter
LONG = "1000000"


class Process:
    """A running server and a client of it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stderr is not None
        self.url = next(json.loads(line)["message"] for line in process.stderr if "listening on" in line).split()[-1]
        self.client = httpx.Client(base_url=self.url, timeout=GUARD_S)

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def until_held(self, n: int) -> None:
        assert self.process.stdout is not None
        for _ in range(n):
            assert self.process.stdout.readline() == "held\n"

    def state(self) -> str:
        """State of the server according to /readyz. /healthz reports that it is alive all the time."""
        assert self.client.get("/healthz").status_code == 200
        response = self.client.get("/readyz")
        if response.status_code == 200:
            return str(response.json()["status"])
        return str(refused(response)["message"]).partition(":")[0]

    def until(self, state: str) -> None:
        give_up_s = time.monotonic() + GUARD_S
        while self.state() != state:
            assert time.monotonic() < give_up_s

    def signal(self, which: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(which)

    def ended(self) -> tuple[int, str]:
        """Exit status and the rest of standard error."""
        assert self.process.stderr is not None
        code = self.process.wait(GUARD_S)
        return code, self.process.stderr.read()

    def children(self) -> set[int]:
        found = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.add(int(stat.parent.name))
        return found


@contextmanager
def started(load: bool = True, **settings: str) -> Iterator[Process]:
    environment = {**os.environ, **MODELS, "EPF_DRAIN_NOTICE_S": "0", **settings}
    command = [sys.executable, "-m", "tests.service.scripted_server", "serve"]
    pipe = subprocess.PIPE
    with running(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            server = Process(process)
            with server.client:
                if load:
                    server.say("load")
                    server.until("HEALTHY")
                yield server
        finally:
            process.kill()


def refused(response: httpx.Response) -> dict[str, Any]:
    """The error of a response, which is checked to be retryable."""
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.headers["x-should-retry"] == "true"
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == "overloaded"
    return error


Requests = dict[str, tuple[str, dict[str, Any]]]


def asked(problem: str) -> Requests:
    """One request of each kind, with two particles each, or two searches of one particle."""
    chat, chunks = ({"model": "epf-2", "messages": [{"role": "user", "content": f"{problem} {i}"}]} for i in range(2))
    return {
        "solve": ("/solve", {"problem": f"{problem} 2", "n_particles": 2}),
        "stream": ("/solve", {"problem": f"{problem} 3", "n_particles": 2, "stream": True}),
        "batch": ("/solve/batch", {"problems": [f"{problem} 4", f"{problem} 5"], "n_particles": 1}),
        "chat": ("/v1/chat/completions", chat),
        "chunks": ("/v1/chat/completions", {**chunks, "stream": True}),
    }


@contextmanager
def under_way(server: Process, requests: Requests) -> Iterator[dict[str, "Future[httpx.Response]"]]:
    with ThreadPoolExecutor(len(requests)) as pool:
        yield {kind: pool.submit(server.client.post, path, json=body) for kind, (path, body) in requests.items()}


def test_nothing_is_lost_in_a_drain() -> None:
    with started(EPF_DRAIN_S="30") as server, under_way(server, asked("held")) as answers:
        server.until_held(2 * len(answers))
        server.signal()
        since_s = time.monotonic()
        server.until("DRAINING")
        for path, body in asked("new").values():
            assert refused(server.client.post(path, json=body))["message"].startswith("DRAINING")
        server.say("release")
        children = server.children()
        while not children and server.process.poll() is None:  # answers are compared in worker processes
            children = server.children()
        got = {kind: answer.result(GUARD_S) for kind, answer in answers.items()}
        code, log = server.ended()
        print(f"5 requests were ended and the process had gone {time.monotonic() - since_s:.2f} s after SIGTERM")
        assert code == 0
        assert "Traceback" not in log
        assert {response.status_code for response in got.values()} == {200}
        assert got["solve"].json()["stop_reason"] == "finished"
        assert events_of(got["stream"].text)[-1]["result"]["stop_reason"] == "finished"
        assert events_of(got["batch"].text)[-1]["n_solved"] == 2
        assert got["chat"].json()["choices"][0]["finish_reason"] == "stop"
        assert got["chunks"].text.endswith("data: [DONE]\n\n")
        assert "error" not in got["chunks"].text
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_at_the_deadline_of_a_drain_requests_end_with_the_best_answer_or_a_retryable_error(which: signal.Signals) -> None:
    best, nothing = asked("best"), asked("held")
    requests = {kind: best[kind] for kind in ("solve", "stream", "chat")} | {f"no {kind}": nothing[kind] for kind in nothing}
    with started(EPF_DRAIN_S="0") as server, under_way(server, requests) as answers:
        server.until_held(3 + 10)
        server.signal(which)
        since_s = time.monotonic()
        got = {kind: answer.result(GUARD_S) for kind, answer in answers.items()}
        code, log = server.ended()
        print(f"8 requests were answered and the process had gone {time.monotonic() - since_s:.2f} s after {which.name}")
        assert code == 0
        assert "Traceback" not in log
        results = got["solve"].json(), events_of(got["stream"].text)[-1]["result"], got["chat"].json()["choices"][0]["search"]
        assert [(result["answer"], result["stop_reason"]) for result in results] == [("7", "deadline")] * 3
        for kind in ("no solve", "no chat"):
            assert refused(got[kind])["message"].startswith("DRAINING")
        last = events_of(got["no stream"].text)[-1]
        assert (last["type"], last["error"]["code"]) == ("error", "overloaded")
        batch = events_of(got["no batch"].text)
        assert [event["error"]["code"] for event in batch if event["type"] == "failed"] == ["overloaded"] * 2
        assert batch[-1]["n_failed"] == 2
        assert '"code":"overloaded"' in got["no chunks"].text
        assert got["no chunks"].text.endswith("data: [DONE]\n\n")


def test_requests_are_accepted_during_the_notice_and_a_second_signal_ends_the_process() -> None:
    with started(EPF_DRAIN_NOTICE_S=LONG, EPF_DRAIN_S=LONG) as server:
        server.signal()
        server.until("DRAINING")
        assert server.client.post("/solve", json={"problem": "new", "n_particles": 2}).status_code == 200
        server.signal()
        assert server.ended()[0] == -signal.SIGTERM


def test_probes_are_answered_while_the_models_load() -> None:
    with started(load=False) as server:
        assert server.state() == "STARTING"
        for path, body in asked("new").values():
            assert refused(server.client.post(path, json=body))["message"].startswith("STARTING")
        assert refused(server.client.get("/v1/models"))["message"].startswith("STARTING")
        server.say("load")
        server.until("HEALTHY")
        assert server.client.post("/solve", json={"problem": "new", "n_particles": 2}).status_code == 200
        server.signal()
        assert server.ended()[0] == 0


def test_a_signal_while_the_models_load_ends_the_process() -> None:
    with started(load=False, EPF_DRAIN_NOTICE_S=LONG, EPF_DRAIN_S=LONG) as server:
        assert server.state() == "STARTING"
        server.signal()
        assert server.ended()[0] == 0


def test_a_failure_to_load_the_models_ends_the_process() -> None:
    with started(load=False) as server:
        server.say("fail")
        code, log = server.ended()
        assert code == 1
        assert log.splitlines()[-1] == "epf: the models could not be loaded: RuntimeError: the weights are not there"
        assert "Traceback" not in log


class Never:
    """Admission to a queue in which no request is ever granted."""

    def enter(self, caller: str, n_particles: int) -> "Never":
        return self

    async def granted(self) -> None:
        await asyncio.Event().wait()

    def release(self) -> None:
        return


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/score", {"problem": "held", "steps": ["a", "b"]}),
        ("/solve", {"problem": "held"}),
        ("/solve/batch", {"problems": ["held"]}),
    ],
)
def test_requests_that_have_not_begun_end_with_the_server_too(path: str, body: dict[str, Any], waiting: bool) -> None:
    async def scenario() -> None:
        generator, reward_model = ScriptedGenerator(hold=True), ScriptedRewardModel(hold=True)
        app = create_app(generator, reward_model)
        async with client_of(app) as client:
            if waiting:
                ServiceState.of(app).searches = Searches(searches_of(app).models, Never(), ServiceState.of(app).lifecycle)
            asking = asyncio.create_task(client.post(path, json=body))
            await until(lambda: searches_of(app).n_in_progress == 1)
            await until(lambda: waiting or generator.n_running + reward_model.n_running > 0)
            await ServiceState.of(app).lifecycle.end(0.0)
            response = await asking
            if path == "/solve/batch":
                assert '"code":"overloaded"' in response.text
            else:
                assert refused(response)["message"].startswith("DRAINING")
            assert searches_of(app).n_in_progress == generator.n_running == reward_model.n_running == 0

    asyncio.run(scenario())
