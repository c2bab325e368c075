"""``epf entropy``: every tool on its example, traces from files, pictures, and messages for bad input."""

import json
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.entropy.registry import TOOLS
from tests.cli.processes import ended, without

TRACES = [
    {"steps": ["a"], "scores": [score], "correct": correct, "judges": {"big": big}}
    for score, correct, big in ((0.2, False, 0.1), (0.4, False, 0.3), (0.7, True, 0.2), (0.9, True, 0.8))
]


def written(path: Path, *rows: object) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_tools_are_listed_with_their_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["entropy"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in TOOLS)


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.slow
def test_every_tool_answers_its_example_in_every_form(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = TOOLS[name]
    file, picture = written(tmp_path / "example.json", tool.example), tmp_path / "picture.png"
    assert main(["entropy", name, file, "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["entropy", name, file, "--json"]) == 0
    answer = tool.output.model_validate_json(capsys.readouterr().out)
    assert answer == tool.answer(tool.input(**tool.example))
    for table in tool.tables(answer):
        assert all(len(row) == len(table.header) for row in table.rows)
        assert table.title[:40] in printed


def test_a_name_from_a_file_cannot_control_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[31m[/red] $x$"
    columns = {name: ["4", "4", "6", "6"], "other": [1, 2, 1, 2]}
    assert main(["entropy", "reconstruction", written(tmp_path / "named.json", {"columns": columns, "target": name})]) == 0
    printed = capsys.readouterr().out
    assert "do not determine `[31m[/red] $x$`" in printed
    assert "`[31m[/red] $x$` from 1 columns" in printed
    assert "\x1b" not in printed


def test_traces_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "traces.jsonl", *TRACES)
    asked = ["entropy", "reconstruction", file, "--json", "--bins", "2", "--use", "last_score", "--unit", "bits"]
    assert main(asked) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["target"] == "correct"
    assert [column["name"] for column in answer["columns"]] == ["last_score"]
    assert answer["verdict"] == "exact"
    assert answer["target_entropy"] == pytest.approx(1)
    assert main(["entropy", "ranking", file, "--json", "--teacher", "big", "--tau", "2.5"]) == 0
    assert json.loads(capsys.readouterr().out)["n_problems"] == 1


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"student_scores": [[1]]}, {"student_scores": [[1]]}], [], "2 objects that are not traces"),
        ([{"student_scores": [[1]]}], [], "`teacher_scores`"),
        ([{"student_scores": [["a"]], "teacher_scores": [[1]]}], [], "`student_scores.0.0`"),
        ([TRACES[0], {**TRACES[0], "scores": [2]}], ["--teacher", "big"], "Row 2: `scores.0`"),
        (TRACES, [], "`teacher` is missing"),
        (TRACES, ["--teacher", "big", "--tau", "0"], "'--tau': 0.0 is not in the range"),
        (TRACES, ["--teacher", "big", "--plot", "missing/picture.png"], "Cannot write the picture"),
        (TRACES, ["--teacher", "big", "--plot", "picture.nothing"], "Cannot write the picture"),
    ],
)
def test_bad_input_is_refused_with_its_field(
    rows: list[object], options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["entropy", "ranking", written(tmp_path / "file.jsonl", *rows), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("library", "options", "extra"), [("matplotlib", ["--plot", "x.png"], "plots"), ("scipy", [], "entropy")]
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    library: str, options: list[str], extra: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "example.json", TOOLS["reconstruction"].example)
    done = ended(*without(library), "entropy", "reconstruction", file, *options, cwd=tmp_path)
    assert done.returncode == 1
    assert f"library {library} is not installed" in done.stderr
    assert f"[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
