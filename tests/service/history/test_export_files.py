"""An export is a file that ``epf view``, ``epf entropy`` and ``epf trace`` read."""

import json
from pathlib import Path

import httpx
import pytest

from epf.cli.main import main
from epf.cli.stored_search import read_search
from epf.entropy.traces import is_trace, read_rows, traces_of
from tests.service.history.keeping import asking, kept, solved


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A file of two searches with particles and tokens, and of a failed and a stopped one between them."""

    async def export(client: httpx.AsyncClient) -> str:
        for problem in ("first", "second"):
            await solved(client, problem, logprobs=True)
        return (await client.get("/searches/export")).text

    first, second = asking(kept(tmp_path), export).splitlines()
    whole = json.loads(first)
    error = {"type": "error", "error": {"message": "x", "type": "server_error", "param": None, "code": "x"}}
    failed = {**whole, "state": "failed", "events": [whole["events"][0], error]}
    stopped = {**whole, "state": "stopped", "events": whole["events"][:1]}
    path = tmp_path / "searches.jsonl"
    path.write_text("\n".join([first, json.dumps(failed), json.dumps(stopped), second]) + "\n", encoding="utf-8")
    return path


def test_entropy_tools_read_it(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_rows(exported)
    assert all(is_trace(value) for _, value in rows)
    traces = traces_of(rows)
    assert [trace.problem for trace in traces] == ["first", "first", "second", "second"]
    assert traces[0].steps[0].startswith("Step 1:")
    assert traces[0].answer == "42"
    assert traces[0].scores
    assert main(["entropy", "tokens", str(exported), "--vocabulary", "100", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_tokens"] == sum(
        len(step) for trace in traces for step in trace.logprobs or ()
    )


def test_trace_import_reads_it(exported: Path, tmp_path: Path) -> None:
    assert main(["trace", "import", str(exported), "--out", str(tmp_path / "traces.jsonl")]) == 0
    assert [trace.problem for trace in traces_of(read_rows(tmp_path / "traces.jsonl"))] == [
        "first",
        "first",
        "second",
        "second",
    ]


def test_view_reads_every_row_of_it(exported: Path) -> None:
    assert [(read_search(exported, row)["request"] or {})["problem"] for row in (1, 2, 3, 4)] == [
        "first",
        *["first"] * 2,
        "second",
    ]
    assert read_search(exported, 2)["events"][-1]["type"] == "error"


def test_searches_without_a_result_have_no_traces(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = exported.read_text(encoding="utf-8").splitlines()
    exported.write_text("\n".join(lines[1:3]), encoding="utf-8")
    assert main(["entropy", "tokens", str(exported), "--vocabulary", "100"]) != 0
    assert "No search of the file has a result" in capsys.readouterr().err
