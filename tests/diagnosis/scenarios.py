"""What may go wrong with one's own model, and what ``epf doctor`` prints then: the examples of docs/models.md.

Each scenario is a server on a real socket, in a thread. Its port is shown as 8001, so that the page stays the same.
"""

import asyncio
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.diagnosis.certificates import make_certificate
from tests.engines.http.server import Answer, Request, Upstreams

ROOT = Path(__file__).parents[2]
CODE = "import sys; from epf.cli.main import main; sys.exit(main())"
SHOWN_PORT = "8001"
COLUMNS = "110"
MODELS = {"data": [{"id": "qwen", "max_model_len": 4096}]}


@dataclass(frozen=True)
class Scenario:
    """One thing that is wrong.

    Attributes:
        title: what is wrong.
        check: the check that finds it.
        answer: the server; None where nothing listens.
        flags: flags next to ``--generator``.
        environment: settings.
        encrypted: whether the server has a certificate, which signs itself.
    """

    title: str
    check: str
    answer: Callable[[Request], Answer] | None
    flags: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    encrypted: bool = False


def _needs_a_key(request: Request) -> Answer:
    """vLLM with ``--api-key``."""
    return Answer({"error": "Unauthorized"}, 401)


def _lists(request: Request) -> Answer:
    return Answer(MODELS)


def _answers_chats_alone(request: Request) -> Answer:
    """A server without completions that replies to the whole conversation, whatever the last message is, as OpenAI's."""
    if request.path == "/v1/models":
        return Answer({"data": [{"id": "gpt-x", "owned_by": "system"}]})
    if request.path != "/v1/chat/completions":
        return Answer({"error": {"message": "Not found"}}, 404)
    if not isinstance(request.body["messages"], list):
        return Answer({"error": {"message": "messages must be a list", "param": "messages"}}, 400)
    seed = request.body.get("seed", 0)
    content = f"12 + 7 = 19.\n\nThe answer is \\boxed{{19}}. {'Really. ' * seed}"
    reply = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10 + 7 * len(request.body["messages"]), "completion_tokens": 2}
    return Answer({"object": "chat.completion", "choices": [reply], "usage": usage})


SCENARIOS = (
    Scenario("The address is wrong, or the server is not running", "address", None),
    Scenario("The key is missing or wrong", "key", _needs_a_key, environment={"EPF_GENERATOR__API_KEY": "sk-not-this-one"}),
    Scenario("The certificate is not trusted", "certificate", _lists, encrypted=True),
    Scenario("The server answers chats alone, and does not continue a reply", "continuation", _answers_chats_alone),
    Scenario("There is no reward model", "reward model", _answers_chats_alone),
)


def output_of(scenario: Scenario) -> str:
    """The command, and what its output says of the check."""
    with _running(scenario) as url:
        command = ["epf", "doctor", "--generator", url, *shlex.split(scenario.flags)]
        environment = {"COLUMNS": COLUMNS, "PATH": os.environ["PATH"], **scenario.environment}
        done = subprocess.run(
            [sys.executable, "-c", CODE, *command[1:]],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    given = "".join(f"{name}={value} " for name, value in scenario.environment.items())
    lines = [f"$ {given}{shlex.join(command)}", *_lines_of(scenario.check, done.stdout.splitlines())]
    return re.sub(r"(localhost:)\d+", rf"\g<1>{SHOWN_PORT}", "\n".join(lines)) + "\n"


def _lines_of(check: str, lines: list[str]) -> Iterator[str]:
    """The lines of one check, after the line of its subject."""
    subject, found = "", False
    for line in lines:
        if line and not line.startswith(" "):
            subject = line
        if not line.startswith("   "):
            found = line[10:].startswith(check) and line.startswith("  ")
            if found:
                yield subject
        if found:
            yield line


@contextmanager
def _running(scenario: Scenario) -> Iterator[str]:
    """The address of a scenario's server."""
    if scenario.answer is None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening
            yield f"http://localhost:{taken.getsockname()[1]}"
        return
    with TemporaryDirectory() as directory:
        context = make_certificate(Path(directory), names="DNS:localhost").context() if scenario.encrypted else None
        with _served(scenario.answer, context) as port:
            yield f"http{'s' * scenario.encrypted}://localhost:{port}"


@contextmanager
def _served(answer: Callable[[Request], Answer], context: ssl.SSLContext | None) -> Iterator[int]:
    """The port of a server in a thread of its own."""
    ports: list[int] = []
    ready, end = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(Upstreams(answer).serve, "127.0.0.1", 0, ssl=context)
        async with server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
