"""What ``epf view`` finds in files: every search as far as it was saved."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from epf.cli.stored_search import read_search
from epf.core.errors import InvalidRequest
from epf.service.app import create_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving

BODY = {"problem": "6 * 7?", "n_particles": 2, "seed": 1, "return_particles": True}


@pytest.fixture(scope="module")
def stream() -> str:
    """A whole stream of a search."""
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
        response: httpx.Response = client.post("/solve", json={**BODY, "stream": True})
    return response.text


def types(found: dict[str, Any]) -> list[str]:
    return [event["type"] for event in found["events"]]


def saved(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "saved"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stream_is_read_wherever_it_broke_off(stream: str, tmp_path: Path) -> None:
    whole = types(read_search(saved(tmp_path, stream), None))
    assert whole[0] == "started"
    assert whole[-1] == "answer"
    first_end = stream.index("\n\n")
    for end in range(first_end + 1, len(stream), 7):
        found = types(read_search(saved(tmp_path, stream[:end]), None))
        assert found == whole[: len(found)]
    assert types(read_search(saved(tmp_path, stream.rstrip("\n")), None)) == whole


def test_a_search_of_a_version_that_did_not_count_for_each_reward_model_is_read(stream: str, tmp_path: Path) -> None:
    old = re.sub(r'"prm_tokens_of":\{[^}]*\},?', "", stream).replace(",}", "}")
    assert old != stream
    assert types(read_search(saved(tmp_path, old), None)) == types(read_search(saved(tmp_path, stream), None))


def test_the_searches_of_a_file_are_not_joined(stream: str, tmp_path: Path) -> None:
    path = saved(tmp_path, stream + stream)
    with pytest.raises(InvalidRequest, match="has 2 rows: choose one"):
        read_search(path, None)
    assert types(read_search(path, 2)) == types(read_search(saved(tmp_path, stream), 1))
    with pytest.raises(InvalidRequest, match="no row 3"):
        read_search(saved(tmp_path, stream + stream), 3)


def test_the_end_of_a_stream_is_its_result(stream: str, tmp_path: Path) -> None:
    last = stream[stream.rindex("data:") :]
    found = read_search(saved(tmp_path, last), None)
    assert found["result"]["answer"] == json.loads(last.removeprefix("data: "))["result"]["answer"]
