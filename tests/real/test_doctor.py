"""``epf doctor`` finds nothing wrong with a real model on a real server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.model import MODEL, Server

pytest.importorskip("vllm", reason="needs vLLM: make test-real")

EPF = "import sys; from epf.cli.main import main; sys.exit(main())"


def test_nothing_is_wrong(server: Server, tmp_path: Path) -> None:
    settings = {"EPF_GENERATOR": server.url, "EPF_GENERATOR__TOKENIZER": str(MODEL)}
    command = [sys.executable, "-c", EPF, "doctor", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, timeout=300)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(findings) > 10
    assert [finding for finding in findings if finding.get("mark") == "failed"] == []
