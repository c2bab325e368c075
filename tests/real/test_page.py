"""The commands of docs/models.md in front of a real model: as they stand, but for addresses, names of models and ports."""

import os
import re
import shlex
import socket
import subprocess
import sys

import httpx
import pytest

from tests.examples import ROOT
from tests.models_page import REAL, commands, runner_of
from tests.processes import running
from tests.real.model import MODEL, Server
from tests.vllm.serve import ENVIRONMENT

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

PROBLEM = "Tom has 12 apples. He buys 7 more. How many apples does he have?"
SHORT = {"n_particles": 2, "max_steps": 2, "max_tokens_per_step": 24}
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment in which ``epf`` is the one of this checkout, and searches are short."""
    folder = tmp_path_factory.mktemp("bin")
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    (folder / "epf").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    (folder / "epf").chmod(0o755)
    engine = {name: value for name, value in ENVIRONMENT.items() if name != "VLLM_CPU_KVCACHE_SPACE"}
    limits = {f"EPF_SEARCH__{name.upper()}": str(value) for name, value in SHORT.items()}
    return {**os.environ, **engine, **limits, "PATH": f"{folder}:{os.environ['PATH']}", "EPF_DRAIN_NOTICE_S": "0"}


SERVERS = {"http://localhost:8001": "vllm_server", "http://localhost:8080": "llama_server"}
"""Fixtures of the servers at the page's addresses."""


def in_place(command: str, request: pytest.FixtureRequest) -> str:
    """The page's command with the addresses of the tests' servers and the name of the tests' model."""
    for address, fixture in SERVERS.items():
        if address in command:
            command = command.replace(address, request.getfixturevalue(fixture).url)
    return re.sub(r"\bQwen/Qwen2\.5-\S+-Instruct\b", str(MODEL), command)


@pytest.mark.parametrize("command", [command for command in commands() if runner_of(command) == REAL])
def test_commands_run(command: str, request: pytest.FixtureRequest, shell: dict[str, str]) -> None:
    line = in_place(command, request)
    if re.search(r"\bepf serve\b", line):
        answer_of_service(line, shell)
        return
    run = [sys.executable, "-c", line] if "import" in line else ["sh", "-c", line]
    done = subprocess.run(run, cwd=ROOT, env=shell, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def answer_of_service(line: str, shell: dict[str, str]) -> None:
    """Start a service and let it solve a problem."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = {**shell, "EPF_PORT": port}
    with running(["sh", "-c", f"exec env {line}"], cwd=ROOT, env=environment, stderr=subprocess.PIPE) as service:
        assert service.stderr is not None
        said = next((text for text in service.stderr if "running on" in text), None)
        assert said, "the service did not start"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_S) as client:
            while client.get("/readyz").status_code != 200:
                assert service.poll() is None
            response = client.post("/solve", json={"problem": PROBLEM})
        assert response.status_code == 200, response.text
        assert response.json()["solution"].strip()


def test_vllm_serves_as_the_page_starts_it(vllm_server: Server) -> None:
    """The fixture runs what ``vllm serve MODEL --port PORT`` runs, with what a CPU needs."""
    assert httpx.get(f"{vllm_server.url}/v1/models", timeout=30).json()["data"][0]["id"] == vllm_server.model


def test_llama_cpp_serves_what_the_page_starts(llama_server: Server) -> None:
    """llama.cpp's own server as a Python module stands for its binary, which no package index has."""
    assert httpx.get(f"{llama_server.url}/props", timeout=30).json()["default_generation_settings"]["n_ctx"] > 0
