"""``epf eval`` as a person runs it: killed, interrupted, refused, resumed."""

import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from epf.cli.main import main
from epf.core.errors import GeneratorError, InvalidRequest
from epf.evaluation.rows import ROW, Row
from epf.service.searches.models import Models, with_checker
from tests.cli.processes import EPF, SCRIPTED_EPF, TIMEOUT_S, ended, line_of, started
from tests.fakes import ScriptedGenerator, ScriptedRewardModel


def scripted(*arguments: str, **generator: Any) -> int:
    """Run the command over scripted models; its exit code."""

    @asynccontextmanager
    async def models() -> AsyncIterator[Models]:
        async with with_checker(ScriptedGenerator(**generator), ScriptedRewardModel()) as given:
            yield given

    return main(("eval", *arguments), load_models=models)


@pytest.fixture
def asked(tmp_path: Path) -> tuple[str, ...]:
    """A small run over a file."""
    rows = [json.dumps({"problem": f"What is {i} + 1?", "answer": 42 if i % 3 else 43}) for i in range(6)]
    (tmp_path / "set.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    small = ("--methods", "epf,best_of_n", "--budgets", "1,4", "--seeds", "2", "--timed", "1")
    return ("--dataset", str(tmp_path / "set.jsonl"), "--out", str(tmp_path / "run"), *small)


def written(directory: Path) -> list[Row]:
    return [ROW.validate_json(line) for line in (directory / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def test_rows_report_and_pictures(asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scripted(*asked) == 0
    rows = written(tmp_path / "run")
    assert len({row.key for row in rows}) == len(rows) == 6 * 2 * 2 * 2
    assert {row.problem for row in rows if row.correct} == {"2", "3", "5", "6"}
    captured = capsys.readouterr()
    assert captured.out == (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "6 of 6 problems, 2 seeds" in captured.out
    progress = captured.err.splitlines()
    assert len(progress) == 20
    assert progress[-1] == f"48/48 searches, right {100 * sum(row.correct for row in rows) / 48:.1f} %"
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["n_searches"] == 12
    assert report["settings"]["methods"] == ["epf", "best_of_n"]
    assert len(list((tmp_path / "run").glob("*.png"))) == 5, "six problems are too few for a calibration"


@pytest.mark.slow
def test_the_same_command_writes_the_report_again_without_a_search(asked: tuple[str, ...], tmp_path: Path) -> None:
    assert scripted(*asked) == 0
    rows = (tmp_path / "run" / "results.jsonl").read_bytes()
    (tmp_path / "run" / "report.md").unlink()
    assert scripted(*asked, error=GeneratorError("no model may be called")) == 0
    assert (tmp_path / "run" / "results.jsonl").read_bytes() == rows
    assert (tmp_path / "run" / "report.md").exists()


@pytest.mark.slow
def test_other_options_are_refused_by_name(asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert scripted(*asked) == 0
    capsys.readouterr()
    assert scripted(*asked, "--temperature", "0.5") == 2
    error = capsys.readouterr().err
    assert "run with other settings (search: {} and {'temperature': 0.5})" in error
    assert error.count("\n") == 1
    assert scripted(*asked, "--concurrency", "3", "--temperature", "0.8") == 0, "a default that is named is the same"


@pytest.mark.slow
def test_more_methods_seeds_and_problems_resume_from_the_rows_so_far(asked: tuple[str, ...], tmp_path: Path) -> None:
    assert scripted(*asked, "--limit", "4") == 0
    before = (tmp_path / "run" / "results.jsonl").read_bytes()
    more = (*asked, "--methods", "best_of_n,pf,epf", "--budgets", "1,2,4", "--seeds", "3")
    assert scripted(*more) == 0
    after = (tmp_path / "run" / "results.jsonl").read_bytes()
    assert after.startswith(before)
    (tmp_path / "run").rename(tmp_path / "grown")
    assert scripted(*more) == 0

    def results(directory: Path) -> set[tuple[object, ...]]:
        return {(*row.key, row.answer, row.generated_tokens) for row in written(directory)}

    assert results(tmp_path / "grown") == results(tmp_path / "run"), "no row differs from those of a run that asked for all"
    assert len(results(tmp_path / "run")) == len(after.splitlines()) == 6 * 3 * 3 * 3


@pytest.mark.slow
def test_an_outage_ends_the_run_and_the_same_command_retries_the_failures(
    asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scripted(*asked, error=GeneratorError("the engine is down")) == 1
    rows = written(tmp_path / "run")
    assert {row.error and row.error.message for row in rows} == {"the engine is down"}
    assert "epf: 20 searches in a row failed" in capsys.readouterr().err
    assert "generator_error" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert scripted(*asked) == 0
    assert [row.error for row in written(tmp_path / "run")] == [None] * 48


def test_a_method_that_the_models_cannot_serve_ends_the_run_without_a_row(
    asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scripted(*asked, error=InvalidRequest("this generator has no log probabilities", param="method")) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "epf: this generator has no log probabilities"
    assert written(tmp_path / "run") == []


def test_the_settings_of_the_service_hold_for_this_command_too(
    asked: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPF_SEARCH__MAX_STEPS", "2")
    monkeypatch.setenv("EPF_SEARCH__HORIZON", "5")
    assert scripted(*asked, "--horizon", "6") == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["search"] == {"max_steps": 2, "horizon": 6}
    assert {row.stop_reason for row in written(tmp_path / "run")} == {"max_steps"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--dataset and --out"),
        (("--dataset", "synthetic"), "--dataset and --out"),
        (("--dataset", "nothing", "--out", "{out}"), "Unknown data set 'nothing'"),
        (("--dataset", "svamp", "--out", "{out}", "--methods", "magic"), "method must be one of"),
        (("--dataset", "svamp", "--out", "{out}", "--temperature", "9"), "'--temperature': 9.0 is not in the range"),
        (("--dataset", "svamp", "--out", "{out}", "--budgets", "1,x"), "'--budgets': '1,x' is not a list of whole numbers"),
        (("--dataset", "svamp", "--out", "{out}", "--budgets", "0,4"), "'--budgets'"),
        (("--dataset", "svamp", "--out", "{out}", "--seeds", "0"), "'--seeds'"),
        (
            ("--dataset", "svamp", "--out", "{out}", "--methods", "pf,best_of_n", "--certainty", "0.5"),
            "None of these methods reads certainty",
        ),
        (("--compare", "{out}", "{out}"), "does not hold a run"),
    ],
)
def test_bad_input_is_one_line_and_creates_nothing(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scripted(*(part.format(out=tmp_path / "out") for part in arguments)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_a_table_with_columns_of_other_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "set.csv").write_text("Body,Target\nWhat is 1 + 1?,42\n", encoding="utf-8")
    asked = ("--dataset", str(tmp_path / "set.csv"), "--out", str(tmp_path / "run"), "--methods", "epf", "--budgets", "1")
    assert scripted(*asked) == 2
    assert "It has 'Body', 'Target'. Add it, or name its column with --columns problem=COLUMN" in capsys.readouterr().err
    assert scripted(*asked, "--columns", "problem:Body") == 2
    assert capsys.readouterr().err.startswith("epf: --columns: 'problem:Body' is not FIELD=COLUMN.")
    assert scripted(*asked, "--columns", "problem=Body,answer=Target", "--seeds", "1") == 0
    assert [(row.problem, row.gold) for row in written(tmp_path / "run")] == [("1", "42")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"problem": "a?", "answer": NaN}', "`answer` is nan, which is no answer"),
        ('{"problem": "a?", "answer": -Infinity}', "`answer` is -inf, which is no answer"),
        ('{"problem": "a?", "answer": null}', "has no gold answer in `answer`"),
        ('{"problem": "\\ud83d", "answer": 1}', "character 1 of `problem` is \\ud83d, half of a surrogate pair"),
        ('{"problem": "a?", "answer": "\\ude00"}', "character 1 of `answer` is \\ude00, half of a surrogate pair"),
    ],
)
def test_a_row_that_cannot_be_graded_is_named_before_anything_is_generated(
    row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f'{{"problem": "a?", "answer": 1}}\n{row}\n', encoding="utf-8")
    asked = ("--dataset", str(path), "--out", str(tmp_path / "run"), "--limit", "1")
    assert scripted(*asked, error=GeneratorError("no model may be called")) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"epf: Row 2 of {path}")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_runs_are_compared(asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = [str(tmp_path / "other") if part == str(tmp_path / "run") else part for part in asked]
    assert scripted(*asked) == scripted(*other, "--horizon", "5") == 0
    capsys.readouterr()
    assert scripted("--compare", str(tmp_path / "run"), str(tmp_path / "other")) == 0
    page = capsys.readouterr().out
    assert "6 problems, 12 pairs of problem and seed" in page
    assert "- search: {} and {'horizon': 5}" in page
    assert page.count("| tie |") == 4


SMALL = (
    *("eval", "--generator", "stories", "--dataset", "synthetic", "--methods", "epf,best_of_n", "--budgets", "1,4"),
    *("--limit", "10", "--seeds", "1", "--timed", "1"),
)


@contextmanager
def begun(out: Path) -> "Iterator[subprocess.Popen[str]]":
    """A run of the pair ``stories`` that has written its first rows."""
    with started(*EPF, *SMALL, "--out", str(out)) as process:
        assert "generator stories-generator" in line_of(process)
        assert "reward model stories-reward-model" in line_of(process)
        assert "/40 searches" in line_of(process)
        yield process


@pytest.mark.slow
def test_a_killed_run_resumes_with_nothing_lost_or_done_twice(tmp_path: Path) -> None:
    with begun(tmp_path) as process:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
    path = tmp_path / "results.jsonl"
    before = path.read_bytes()
    whole = before[: before.rindex(b"\n") + 1]
    assert 2 <= len(whole.splitlines()) < 40
    done = ended(*EPF, *SMALL, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(whole)
    rows = written(tmp_path)
    assert len({row.key for row in rows}) == len(rows) == 40


@pytest.mark.slow
def test_interrupt_leaves_a_report_on_the_rows_so_far(tmp_path: Path) -> None:
    with begun(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert out == ""
    n_rows = len(written(tmp_path))
    assert 2 <= n_rows < 40
    assert err.splitlines()[-1] == f"epf: stopped after {n_rows} of 40 searches. The same command resumes the run."
    assert "Traceback" not in err
    assert (tmp_path / "report.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 3000, 40_000])
def test_a_full_disk_is_one_line_and_the_run_resumes(room: int, tmp_path: Path) -> None:
    """A limit on the size of files ends a write as a full disk does, within a row or a picture, in a process of its own."""
    rows = [json.dumps({"problem": f"What is {i} + 1?", "answer": 42}) for i in range(6)]
    (tmp_path / "set.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    asked = ("eval", "--dataset", str(tmp_path / "set.jsonl"), "--out", str(tmp_path / "run"))
    small = ("--methods", "epf,best_of_n", "--budgets", "1,4", "--seeds", "2", "--timed", "0")
    done = ended("prlimit", f"--fsize={room}", *SCRIPTED_EPF, *asked, *small)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"epf: Cannot write to {tmp_path / 'run'}: File too large. Make that possible")
    assert "Traceback" not in done.stderr
    assert ended(*SCRIPTED_EPF, *asked, *small).returncode == 0
    assert len({row.key for row in written(tmp_path / "run")}) == len(written(tmp_path / "run")) == 6 * 2 * 2 * 2
