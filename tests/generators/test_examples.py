"""Files of few-shot examples: what is read, and what is refused in which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.generators.examples import MAX_BYTES, MAX_EXAMPLES, read_examples

PAIR = {"problem": "1 + 1?", "solution": "1 + 1 = 2.\n\n\\boxed{2}"}
TURNS = [{"role": "user", "content": "1?"}, {"role": "assistant", "content": "2"}]


def written(tmp_path: Path, *rows: Any, data: bytes = b"") -> Path:
    path = tmp_path / "examples.jsonl"
    path.write_bytes(data or "\n".join(map(json.dumps, rows)).encode())
    return path


def test_pairs_and_conversations_are_read_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path, PAIR, {"messages": TURNS * 2})
    path.write_bytes(b"\xef\xbb\xbf\n" + path.read_bytes().replace(b"\n", b"\r\n\r\n") + b"\n")
    pair = (Message("user", "1 + 1?"), Message("assistant", "1 + 1 = 2.\n\n\\boxed{2}"))
    assert read_examples(path) == (*pair, *[Message("user", "1?"), Message("assistant", "2")] * 2)


def test_a_problem_may_speak_of_messages(tmp_path: Path) -> None:
    path = written(tmp_path, {"problem": 'What does "messages" mean?', "solution": "42"})
    assert read_examples(path)[0].content == 'What does "messages" mean?'


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([PAIR, {"problem": "1?"}], "line 2: `solution`: Field required"),
        ([PAIR | {"id": 3}], "line 1: `id`: Extra inputs are not permitted"),
        ([PAIR | {"solution": " "}], "line 1: `solution`: "),
        ([PAIR | {"solution": 2}], "line 1: `solution`: Input should be a valid string"),
        ([["1?", "2"]], "line 1: it is not an object"),
        ([{"messages": TURNS[:1]}], "line 1: `messages`: List should have at least 2 items"),
        ([{"messages": [TURNS[1], TURNS[0]]}], "in turn and end with the assistant"),
        ([{"messages": [*TURNS, TURNS[0]]}], "in turn and end with the assistant"),
        ([{"messages": [{"role": "system", "content": "Box it."}, *TURNS]}], "line 1: `messages.0.role`: "),
        ([PAIR] * (MAX_EXAMPLES + 1), f"has {MAX_EXAMPLES + 1} examples. It must have 1 to {MAX_EXAMPLES}"),
    ],
)
def test_a_line_that_is_not_an_example_is_named(tmp_path: Path, rows: list[Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_examples(written(tmp_path, *rows))
    assert words in caught.value.message
    assert caught.value.param == "generator.examples"
    assert "1 + 1" not in caught.value.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n", "has 0 examples"),
        (b'{"problem": "1"', "line 1: it is not valid JSON"),
        (b'{"problem": "\xff", "solution": "2"}', "line 1: it is not valid JSON"),
        (b'{"problem": "\\ud800", "solution": "2"}', "line 1: it is not valid JSON"),
        (b" " * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_examples(written(tmp_path, data=data))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"nothing\.jsonl: No such file or directory"):
        read_examples(tmp_path / "nothing.jsonl")
    with pytest.raises(InvalidRequest, match="Is a directory"):
        read_examples(tmp_path)
