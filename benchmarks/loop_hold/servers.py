"""The real servers, ``epf serve`` and ``epf serve-prm``, each in a process of its own."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from epf.engines.onnx.pairs import STORIES

COMMANDS: Final = ("serve", "serve-prm")
START_S: Final = 60.0


class Server:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.port = port
        self._process = process

    def get(self, path: str) -> bytes:
        """The body of a response."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as response:
            body: bytes = response.read()
        return body

    def metric(self, name: str) -> dict[str, float]:
        """The samples of a metric, by what follows its name."""
        lines = re.findall(rf"^{name}(\S*) (\S+)$", self.get("/metrics").decode(), re.MULTILINE)
        return {labels: float(value) for labels, value in lines}


@contextmanager
def started(command: str) -> Iterator[Server]:
    """Start a server with the pair ``stories`` at a free port and stop it at the end."""
    epf = Path(sys.executable).with_name("epf")
    models = {"EPF_GENERATOR": STORIES.name, "EPF_REWARD_MODEL": STORIES.name}
    process = subprocess.Popen(
        [epf, command, "--port", "0"], env=os.environ | models, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stderr is not None
        port = next(int(found[1]) for line in process.stderr if (found := re.search(r"listening on http://[^:]+:(\d+)", line)))
        _drain(process.stderr)
        server = Server(process, port)
        _until_ready(server)
        yield server
    finally:
        process.kill()
        process.wait()


def _drain(lines: Any) -> None:
    """Read the log, so that the server never waits for it."""
    from threading import Thread

    Thread(target=lambda: [None for _ in lines], daemon=True).start()


def _until_ready(server: Server) -> None:
    end_s = time.monotonic() + START_S
    while True:
        try:
            server.get("/readyz")
            return
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.1)


def fields_of(document: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The schemas of the fields of a route's body, from the OpenAPI document; empty without a body."""
    content = document["paths"][path]["post"].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    fields: Mapping[str, Any] = schema.get("properties", {})
    return fields
