"""The commands of docs/http.md for kept searches, run as they stand."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from epf.service.app import create_app
from tests.examples import blocks
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.service.history.keeping import kept

ID = re.compile("[0-9a-f]{32}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page calls the service with curl")
def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    (block,) = blocks("docs/http.md", "bash")
    listing, reading, export, deletion = block.splitlines()
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), kept(tmp_path))) as client:
        client.post("/solve", json={"problem": "How many birds?", "n_particles": 2}).raise_for_status()
        (one,) = client.get("/searches").json()["searches"]

        def run(command: str) -> str:
            line = ID.sub(one["id"], command.replace("localhost:8000", f"{client.base_url.host}:{client.base_url.port}"))
            done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
            return done.stdout

        assert json.loads(run(listing))["searches"] == [one]
        assert json.loads(run(reading))["id"] == one["id"]
        run(export)
        assert json.loads((tmp_path / "searches.jsonl").read_text(encoding="utf-8"))["id"] == one["id"]
        assert json.loads(run(deletion)) == {"id": one["id"], "deleted": True}
