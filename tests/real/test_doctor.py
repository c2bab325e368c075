"""``epf doctor`` finds nothing wrong with a real model on a real server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from epf.engines.onnx.pairs import STORIES
from tests.real.model import MODEL, Server

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

EPF = "import sys; from epf.cli.main import main; sys.exit(main())"


def doctor(folder: Path, *flags: str, expected: int = 0) -> dict[str, dict[str, str]]:
    """What each check of the generator finds."""
    command = [sys.executable, "-c", EPF, "doctor", "--json", *flags]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == expected, done.stdout + done.stderr
    *findings, _ = map(json.loads, done.stdout.splitlines())
    return {finding["check"]: finding for finding in findings if finding["subject"].startswith("generator")}


def test_nothing_is_wrong(server: Server, tmp_path: Path) -> None:
    found = doctor(tmp_path, "--generator", server.url, "--tokenizer", str(MODEL))
    assert {check for check, finding in found.items() if finding["mark"] in ("failed", "warning")} <= {"steps", "answer"}
    assert {"tokenizer", "token ids", "continuation", "stop", "seeds"} <= found.keys()


def test_nothing_is_wrong_by_text(llama_server: Server, tmp_path: Path) -> None:
    found = doctor(tmp_path, "--generator", llama_server.url)
    assert {check for check, finding in found.items() if finding["mark"] in ("failed", "warning")} <= {"steps", "answer"}
    assert "token ids" not in found


def test_the_tokenizer_of_another_model_is_found(server: Server, tmp_path: Path) -> None:
    found = doctor(tmp_path, "--generator", server.url, "--tokenizer", str(STORIES.generator), expected=1)
    assert found["tokenizer"]["mark"] == "warning"
    assert found["token ids"]["mark"] == "failed"
