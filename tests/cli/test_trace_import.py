"""``epf trace import``: responses of a server become a file of traces that the entropy tools read."""

import json
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.entropy.traces import read_rows, traces_of

CONTENT = [
    {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": [{"token": token, "logprob": -0.5}]}
    for token in ("12 + 7", " = 19.\n\n", "So \\boxed{19}", ".")
]
COMPLETION = {
    "object": "chat.completion",
    "messages": [{"role": "user", "content": "12 + 7?"}],
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "12 + 7 = 19.\n\nSo \\boxed{19}."},
            "logprobs": {"content": CONTENT},
            "finish_reason": "stop",
        }
    ],
}


def test_completions_become_traces_that_the_tools_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "completions.jsonl", tmp_path / "traces.jsonl"
    source.write_text((json.dumps(COMPLETION) + "\n") * 2, encoding="utf-8")
    assert main(["trace", "import", str(source), "--out", str(out)]) == 0
    traces = traces_of(read_rows(out))
    assert [trace.answer for trace in traces] == ["19", "19"]
    assert traces[0].problem == "12 + 7?"
    assert traces[0].steps == ["12 + 7 = 19.", "So \\boxed{19}."]
    assert traces[0].logprobs == [[-0.5, -0.5], [-0.5, -0.5]]
    assert main(["trace", "import", str(source)]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")
    answers = []
    for file in (source, out):
        assert main(["entropy", "tokens", str(file), "--vocabulary", "100", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert answers[0]["n_tokens"] == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"student_scores": []}', "has no responses"),
        ('{"choices": []}', "has no choices"),
        ('{"choices": [3]}', "rows.1.choices.0"),
    ],
)
def test_a_file_without_responses_is_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(text, encoding="utf-8")
    assert main(["trace", "import", str(source)]) != 0
    assert message in capsys.readouterr().err


def test_rows_that_report_an_error_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "batch.jsonl"
    choice = {"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}
    rows = [
        {"custom_id": "1", "response": {"status_code": 200, "body": {"choices": [choice]}}, "error": None},
        {"custom_id": "2", "response": {"status_code": 400, "body": {"error": {"message": "too long"}}}, "error": None},
        {"custom_id": "3", "response": None, "error": {"code": "batch_expired", "message": "late"}},
    ]
    source.write_text("\n".join(map(json.dumps, rows)))
    assert main(["trace", "import", str(source)]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err == "2 of 3 rows report an error and give no trace.\n"
