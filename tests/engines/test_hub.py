"""Model directories by path and by name; names are looked up in a hand-made hub cache, never on the network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from epf.core.errors import InvalidRequest
from epf.engines.hub import model_directory
from epf.engines.tokenizer import ChatTokenizer
from tests.tiny_model import TEXT_IDS, write_tokenizer

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOOK_UP = """
import json, sys
from epf.engines.hub import model_directory
from epf.core.errors import InvalidRequest
try:
    print(json.dumps(["found", str(model_directory(sys.argv[1], setting="generator.tokenizer"))]))
except InvalidRequest as error:
    print(json.dumps([error.param, error.message]))
"""


def cached(hub: Path, name: str) -> Path:
    """Empty snapshot of a model in a cache laid out as by the hub's client."""
    model = hub / f"models--{name.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    snapshot = model / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    return snapshot


def look_up(hub: Path, name: str) -> tuple[str, str]:
    """Look up a model in a process of its own, since the client reads its environment when it is imported."""
    environment = os.environ | {"HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "error", "-c", LOOK_UP, name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    what, text = json.loads(done.stdout)
    return what, text


def test_a_directory_is_used_as_it_is(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    assert model_directory(str(tmp_path)) == tmp_path


def test_a_name_is_found_in_the_cache(tmp_path: Path) -> None:
    snapshot = cached(tmp_path, "owner/model")
    write_tokenizer(snapshot)
    found, directory = look_up(tmp_path, "owner/model")
    assert found == "found"
    assert Path(directory).samefile(snapshot)
    assert ChatTokenizer(Path(directory)).size == TEXT_IDS


@pytest.mark.parametrize("name", ["owner/other", "/no/such/directory", "no model's name"])
def test_an_unknown_name_is_rejected_with_its_setting(name: str, tmp_path: Path) -> None:
    setting, message = look_up(tmp_path, name)
    assert setting == "generator.tokenizer"
    assert name in message
    assert "is not a directory, nor a model on the hub" in message


def test_a_model_without_a_tokenizer_is_rejected(tmp_path: Path) -> None:
    cached(tmp_path, "owner/model")
    setting, message = look_up(tmp_path, "owner/model")
    assert setting == "generator.tokenizer"
    assert "no tokenizer.json" in message
    with pytest.raises(InvalidRequest, match=r"no tokenizer\.json"):
        model_directory(tmp_path)
