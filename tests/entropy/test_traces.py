"""Traces from files, rows and responses; errors that name row and field."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.entropy.traces import MAX_FILE_BYTES, Trace, TraceInput, read_rows, traces_of

ROW: dict[str, Any] = {
    "problem": "1 + 1?",
    "steps": ["1 + 1 = 2.", "It is 2."],
    "token_ids": [[1, 2], [3]],
    "logprobs": [[-0.1, -0.2], [-0.3]],
    "scores": [0.9, 0.8],
    "judges": {"big": 1.5},
    "answer": "2",
    "correct": True,
    "labels": {"model": "a"},
}
PARTICLE: dict[str, Any] = {
    "steps": [
        {"text": "1 + 1 = 2.", "finish": "separator", "n_tokens": 5},
        {"text": "It is 2.", "finish": "eos", "n_tokens": 4},
    ],
    "scores": [0.9, 0.8],
    "lineage": [0],
    "finished": True,
    "answer": "2",
    "log_weight": -0.5,
}


def refusal(path: Path, text: str) -> InvalidRequest:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest) as refused:
        traces_of(read_rows(path))
    return refused.value


def test_a_file_may_mix_rows_and_results_of_searches(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    solved = {
        "id": "abc",
        "answer": "2",
        "usage": {},
        "particles": [PARTICLE, {**PARTICLE, "scores": [0.7], "log_weight": None}],
    }
    path.write_text(f"{json.dumps(ROW)}\n\n{json.dumps(solved)}\n", encoding="utf-8")
    rows = read_rows(path)
    assert [row for row, _ in rows] == [1, 3]
    row, first, second = traces_of(rows)
    assert row == Trace(**ROW)
    assert first == Trace(steps=["1 + 1 = 2.", "It is 2."], scores=[0.9, 0.8], answer="2", log_weight=-0.5)
    assert (second.scores, second.log_weight) == ([0.7], None)


@pytest.mark.parametrize("whole", [[ROW, ROW], ROW], ids=["array", "object"])
def test_a_file_may_be_one_value_on_many_lines(tmp_path: Path, whole: Any) -> None:
    path = tmp_path / "traces.json"
    path.write_text(json.dumps(whole, indent=2), encoding="utf-8")
    assert traces_of(read_rows(path))[0] == Trace(**ROW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.5, 1.5]}, "Row 2: `scores.1`"),
        ({"scores": [0.5, float("nan")]}, "Row 2: `scores.1`"),
        ({"scores": [0.1, 0.2, 0.3]}, "`scores` has 3 items, but `steps` has 2"),
        ({"logprobs": [[-0.1, -0.2], [-0.3, -0.4]]}, "`logprobs.1` has 2 items, but `token_ids.1` has 1"),
        ({"token_ids": [[1], [2], [3]]}, "`token_ids` has 3 items, but `steps` has 2"),
        ({"token_ids": [[1, -2], [3]]}, "Row 2: `token_ids.0.1`"),
        ({"steps": ["a", 7]}, "Row 2: `steps.1`"),
        ({"labels": {"model": 1.5}}, "Row 2: `labels.model`: must be a string"),
        ({"score": [0.5]}, "Row 2: `score` is not a field of this input: remove it. The fields are problem, steps"),
        ({"steps": "a"}, "Row 2: `steps` must be a list."),
    ],
)
def test_a_wrong_row_is_named_with_its_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    error = refusal(tmp_path / "traces.jsonl", f"{json.dumps(ROW)}\n{json.dumps({**ROW, **change})}")
    assert message in error.message
    assert error.message.startswith("Row 2: ")
    assert "1 + 1" not in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"steps": []}\n{"steps":\n', "Row 2 of "),
        ('{"steps": []}\n[1]\n', "Row 2 of "),
        ("[" * 100_000, "Row 1 of "),
        ('{"particles": []}', "Row 1: `particles`"),
        (json.dumps({"particles": [{**PARTICLE, "scores": [0.1, 0.2, 0.3]}]}), "Row 1: `particles.0`: `scores` has 3 items"),
    ],
)
def test_an_invalid_file_of_traces_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path / "traces.jsonl", text).message


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'{"problem": "caf\xe9"}')
    with (tmp_path / "large").open("wb") as large:
        large.truncate(MAX_FILE_BYTES + 1)
    for name, message in (("latin", "is not UTF-8"), ("large", "MiB"), ("missing", "Cannot read")):
        with pytest.raises(InvalidRequest, match=message):
            read_rows(tmp_path / name)


def test_particles_of_responses_join_the_traces_of_a_request() -> None:
    given = TraceInput.model_validate({"traces": [ROW], "solved": [{"particles": [PARTICLE] * 2, "seed": 1}]})
    assert [trace.log_weight for trace in given.gathered()] == [None, -0.5, -0.5]


def test_the_error_for_a_misaligned_trace_contains_its_position() -> None:
    with pytest.raises(ValidationError) as refused:
        TraceInput.model_validate({"traces": [ROW, {**ROW, "scores": [0.1, 0.2, 0.3]}]})
    assert refused.value.errors()[0]["loc"] == ("traces", 1)


def test_results_without_a_problem_are_not_mixed(tmp_path: Path) -> None:
    """Two searches are two problems unless they say otherwise: advantages compare solutions within one."""
    solved = [
        {"particles": [{**PARTICLE, "scores": [score, score]} for score in scores]} for scores in ((0.1, 0.9), (0.2, 0.4))
    ]
    given = TraceInput(solved=solved)  # type: ignore[arg-type]
    assert [trace.problem for trace in given.gathered()] == ["solved.0", "solved.0", "solved.1", "solved.1"]
    path = tmp_path / "solved.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in solved), encoding="utf-8")
    assert [trace.problem for trace in traces_of(read_rows(path), apart=True)] == ["row 1", "row 1", "row 2", "row 2"]
    assert {trace.problem for trace in traces_of(read_rows(path))} == {None}
    completions = [{"choices": [{"text": "a"}, {"text": "b"}]}, {"choices": [{"text": "c"}]}]
    of_completions = TraceInput(completions=completions).gathered()  # type: ignore[arg-type]
    assert [trace.problem for trace in of_completions] == ["completions.0", "completions.0", "completions.1"]
