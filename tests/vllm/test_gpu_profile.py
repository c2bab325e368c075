"""The containers of the gpu profile as processes on the CPU, with their own commands, environments and health checks."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

pytest.importorskip("vllm")

from epf.engines.onnx.pairs import STORIES
from tests.deploy.test_image import last
from tests.deploy.tools import ROOT, compose
from tests.processes import running
from tests.vllm.qwen import write_qwen_prm
from tests.vllm.serve import ENVIRONMENT, START_S

ON_CPU = ["--dtype", "float32", "--enforce-eager", "--block-size", "32", "--max-num-seqs", "64", "--host", "127.0.0.1"]
EPF = [sys.executable, "-c", "import sys; from epf.cli.main import main; sys.exit(main())"]


def free_ports(n: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [str(free.getsockname()[1]) for free in sockets]
    for free in sockets:
        free.close()
    return ports


@contextmanager
def healthy(command: Sequence[str], environment: dict[str, str], check: Sequence[str], log: Path) -> Iterator[None]:
    """The process, once its health check succeeds."""
    with log.open("wb") as file, running(command, cwd=ROOT, env=environment, stdout=file, stderr=file) as process:
        give_up = time.monotonic() + START_S
        while subprocess.run(check, capture_output=True, timeout=START_S).returncode != 0:
            assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < give_up, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.5)
        yield


def exec_form(dockerfile: str, instruction: str) -> list[str]:
    """Words of an instruction's command."""
    value = last(dockerfile, instruction)
    words: list[str] = json.loads(value[value.index("[") :])
    return words


def test_a_problem_is_solved_by_all_three(tmp_path: Path) -> None:
    prm_directory = tmp_path / "prm"
    prm_directory.mkdir()
    write_qwen_prm(prm_directory)
    chosen = {"EPF_GENERATOR__NAME": str(STORIES.generator), "EPF_REWARD_MODEL__NAME": str(prm_directory)}
    done = compose("--profile", "gpu", "config", **chosen)
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    generator, prm, service = free_ports(3)

    def environment(name: str) -> dict[str, str]:
        given = {variable: value for variable, value in services[name]["environment"].items() if value is not None}
        given.pop("HF_HOME")
        moved = {
            variable: value.replace("generator:8000", f"127.0.0.1:{generator}").replace("prm:8001", f"127.0.0.1:{prm}")
            for variable, value in given.items()
        }
        return os.environ | ENVIRONMENT | moved

    engine = json.loads(services["prm"]["environment"]["EPF_REWARD_MODEL__ENGINE"])
    on_cpu = {"dtype": "float32", "enforce_eager": True, "block_size": 32, "max_num_seqs": 64}
    scoring = environment("prm") | {"EPF_REWARD_MODEL__ENGINE": json.dumps(engine | on_cpu)}
    serve = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    alive = [word.replace(":8000", f":{generator}") for word in services["generator"]["healthcheck"]["test"][1:]]
    ready = [word.replace("8001", prm) for word in exec_form("deploy/prm.Dockerfile", "HEALTHCHECK")]
    well = [word.replace("8000", service) for word in exec_form("Dockerfile", "HEALTHCHECK")]
    score = [word.replace("8001", prm) for word in exec_form("deploy/prm.Dockerfile", "CMD")]
    solve = [word.replace("8000", service) for word in exec_form("Dockerfile", "CMD")]
    assert score[0] == solve[0] == "epf"
    with (
        healthy(
            [*serve, *services["generator"]["command"], *ON_CPU, "--port", generator],
            environment("generator"),
            alive,
            tmp_path / "1",
        ),
        healthy([*EPF, *score[1:]], scoring, ready, tmp_path / "2"),
        healthy([*EPF, *solve[1:]], environment("epf-gpu"), well, tmp_path / "3"),
    ):
        asked = {"problem": "There are 45 birds on a wire. 17 fly away. How many are left?", "seed": 1, "n_particles": 4}
        response = httpx.post(f"http://127.0.0.1:{service}/solve", json=asked, timeout=120)
        assert response.status_code == 200, response.text
        assert response.json()["answer"] == "28"
        for port, pattern in (
            (service, r"^epf_tokens_total\{kind=\"prm\"\} [1-9]"),
            (prm, r"^epf_prm_call_duration_seconds_count [1-9]"),
        ):
            metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
            assert re.search(pattern, metrics, flags=re.MULTILINE), metrics
        print(response.json()["usage"])
