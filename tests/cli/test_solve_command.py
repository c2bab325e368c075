import fcntl
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from epf.cli.main import main
from epf.core.errors import GeneratorError
from epf.service.searches.models import Models, with_checker
from tests.cli.processes import EPF, ROOT, SCRIPTED_EPF, TIMEOUT_S, line_of, started
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.processes import running

PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"


def epf(*arguments: str, **generator: Any) -> tuple[int, ScriptedGenerator]:
    """Run the command over scripted models; its exit code and the generator that was used."""
    used: list[ScriptedGenerator] = []

    @asynccontextmanager
    async def models() -> AsyncIterator[Models]:
        used.append(ScriptedGenerator(**generator))
        async with with_checker(used[0], ScriptedRewardModel()) as given:
            yield given

    code = main(arguments, load_models=models)
    return code, used[0] if used else ScriptedGenerator()


def test_plain_lines_one_per_round_then_solution_and_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert epf("solve", PROBLEM, "--seed", "3")[0] == 0
    out = capsys.readouterr().out.splitlines()
    rounds = [line for line in out if re.match(r"step \d+  ess ", line)]
    assert [line.split()[1] for line in rounds] == [str(t + 1) for t in range(len(rounds))]
    assert rounds
    assert "best answer" in rounds[-1]
    assert any(r"\boxed{42}" in line for line in out)
    assert not any(line.startswith("warning") for line in out)
    assert re.fullmatch(r"answer 42   confidence \d+%   share \d+%   \d+ tokens in .* s, seed 3", out[-1])


def test_json_is_alone_on_stdout_and_strict(capsys: pytest.CaptureFixture[str]) -> None:
    assert epf("solve", PROBLEM, "--json", "--seed", "7", "--n-particles", "4")[0] == 0
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    found = json.loads(line, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert found["answer"] == "42"
    assert isinstance(found["answer"], str)
    assert 0 < found["confidence"] <= 1
    assert found["share"] == found["distribution"][0]["probability"]
    assert r"\boxed{42}" in found["solution"]
    assert found["seed"] == 7
    assert found["usage"]["generated_tokens"] > 0
    assert found["method"] == "epf"
    assert found["stop_reason"] == "finished"
    assert sum(share["probability"] for share in found["distribution"]) == pytest.approx(1)
    assert "particles" not in found
    assert captured.err.startswith("step 1  ess")


def test_no_answer_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    assert epf("solve", PROBLEM, "--json", "--max-steps", "2")[0] == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] is None
    assert found["stop_reason"] == "max_steps"


def test_problem_from_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PROBLEM))
    assert epf("solve", "-", "--json")[0] == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "42"


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve",),
        ("solve", " \n "),
        ("solve", PROBLEM, "--file", "problems.jsonl"),
        ("solve", "--file", "no-such-file.jsonl"),
        ("solve", PROBLEM, "--n-particles", "0"),
        ("solve", PROBLEM, "--temperature", "-1"),
        ("solve", PROBLEM, "--temperature", "nan"),
        ("solve", PROBLEM, "--top-p", "0"),
        ("solve", PROBLEM, "--max-seconds", "0"),
        ("solve", PROBLEM, "--separator", "x" * 17),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert epf(*arguments)[0] == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epf: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--n-particles", "eight"), ("--method", "magic"), ("--anealing", "ess")])
def test_a_bad_option_is_named_with_the_way_to_the_help_page(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert epf("solve", PROBLEM, *arguments)[0] == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epf: ")
    assert arguments[0] in captured.err
    assert captured.err.endswith("Try: epf solve --help\n")
    assert captured.err.count("\n") == 1


def test_a_problem_without_quotes_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert epf("solve", "There", "are", "45", "birds.", "--seed", "1", "How", "many?")[0] == 2
    message = "epf: PROBLEM must be one argument, but is 6 words. Quote it: epf solve 'There are 45 birds. How many?'\n"
    assert capsys.readouterr().err == message


def test_settings_are_defaults_that_the_command_line_overrides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EPF_SEARCH__METHOD", "pf")
    monkeypatch.setenv("EPF_SEARCH__MAX_STEPS", "2")
    monkeypatch.setenv("EPF_SEARCH__SEED", "5")
    assert epf("solve", PROBLEM, "--json", "--seed", "7")[0] == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["method"], found["stop_reason"], found["seed"]) == ("pf", "max_steps", 7)


def test_the_models_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EPF_REWARD_MODEL__KIND", "http")
    assert main(["solve", PROBLEM]) == 2
    assert "http" in capsys.readouterr().err
    monkeypatch.setenv("EPF_REWARD_MODEL__KIND", "embedded")
    monkeypatch.setenv("EPF_SEARCH__TOP_P", "7")
    assert main(["solve", PROBLEM]) == 2
    assert "search.top_p (EPF_SEARCH__TOP_P): " in capsys.readouterr().err


def test_failure_of_a_model_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert epf("solve", PROBLEM, error=GeneratorError("the engine is down"))[0] == 1
    assert capsys.readouterr().err == "epf: the engine is down\n"


def write(path: Path, *rows: str) -> str:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def test_warnings_are_lines_after_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--temperature", "0", "--n-particles", "2", "--method", "self_consistency", "--seed", "1")
    assert epf("solve", PROBLEM, *options)[0] == 0
    answer, *warnings = capsys.readouterr().out.splitlines()[-3:]
    assert answer.startswith("answer 42")
    assert warnings[0].startswith("warning At temperature 0 all 2 particles write the same text")
    assert warnings[1].startswith("warning Method 'self_consistency' does not use a reward model")
    assert epf("solve", *options, "--file", write(tmp_path / "p", json.dumps({"problem": "a"})))[0] == 0
    assert capsys.readouterr().out.rstrip().endswith(", warnings: temperature_zero, no_reward_model")
    assert epf("solve", PROBLEM, "--json", *options)[0] == 0
    found = json.loads(capsys.readouterr().out)["warnings"]
    assert [warning["code"] for warning in found] == ["temperature_zero", "no_reward_model"]


def test_file_answers_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.dumps({"question" if i % 2 else "problem": f"Problem {i}\u2028?"}) for i in range(7)]
    code, generator = epf("solve", "--json", "--n-particles", "2", "--concurrency", "3", "--file", write(tmp_path / "p", *rows))
    assert code == 0
    captured = capsys.readouterr()
    found = [json.loads(line) for line in captured.out.split("\n")[:-1]]
    assert [row["problem"] for row in found] == [f"Problem {i}\u2028?" for i in range(7)]
    assert [row["row"] for row in found] == list(range(1, 8))
    assert {row["answer"] for row in found} <= {"41", "42"}
    assert "7/7 done" in captured.err
    assert 2 < generator.most_running <= 3 * 2


def test_one_failing_row_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "long " * 2000
    path = write(tmp_path / "p", json.dumps({"problem": "a"}), json.dumps({"problem": long}), json.dumps({"problem": "b"}))
    assert epf("solve", "--json", "--file", path)[0] == 1
    first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["answer"] == third["answer"] == "42"
    assert second["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"problem": 3}', "`problem`"),
        ('{"question": "  "}', "`question`"),
        ('{"text": "a"}', "`problem`"),
        ('["a"]', "object"),
        ('{"problem"', "JSON"),
    ],
)
def test_bad_row_is_refused_before_any_search(
    row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, generator = epf("solve", "--file", write(tmp_path / "p", '{"problem": "a"}', "", row))
    captured = capsys.readouterr()
    assert code == 2
    assert "Row 3" in captured.err
    assert message in captured.err
    assert captured.out == ""
    assert generator.most_running == 0


def test_live_view_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 14, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    command = (*SCRIPTED_EPF, "solve", PROBLEM, "--n-particles", "20")
    seen = b""
    with running(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with suppress(OSError):  # Linux reports that the other side of a terminal is closed
            while chunk := os.read(ours, 65536):
                seen += chunk
        os.close(ours)
        assert process.wait(TIMEOUT_S) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).replace("\r", "")
    last_frame = plain[plain.rindex("╭") : plain.rindex("╯")].splitlines()
    assert len(last_frame) <= 13
    assert {len(line) for line in last_frame[:-1]} == {80}
    assert "20 particles" in last_frame[0]
    assert "ess" in last_frame[1]
    assert "best answer 42" in last_frame[2]
    assert "and 14 more" in last_frame[-2]
    assert b"\x1b[?25h" in seen, "the cursor is shown again"
    assert plain.rstrip().rsplit("\n", 1)[1].startswith("answer 42")


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code and further output of a process after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


@pytest.mark.parametrize("more", [(), ("--file", "{path}")], ids=["one", "file"])
@pytest.mark.slow
def test_interrupt_cancels_the_search_and_exits_130_quietly(more: tuple[str, ...], tmp_path: Path) -> None:
    path = write(tmp_path / "p", '{"problem": "a"}', '{"problem": "b"}')
    arguments = [part.format(path=path) for part in more] or [PROBLEM]
    with started(*SCRIPTED_EPF, "--hold", "solve", *arguments) as process:
        assert line_of(process) == "entered\n"
        assert interrupted(process) == (130, "", "cancelled\nepf: interrupted\n")


def test_interrupt_while_models_load_does_not_wait_for_them() -> None:
    with started(*SCRIPTED_EPF, "--load", "solve", PROBLEM) as process:
        assert line_of(process) == "loading\n"
        assert interrupted(process) == (130, "", "epf: interrupted\n")


@pytest.mark.parametrize("compiled", [False, True], ids=["python", "compiled"])
def test_interrupt_while_modules_are_imported_is_one_line(compiled: bool) -> None:
    code = f"""
import builtins, sys, time
import_module = builtins.__import__

def slow(name, *arguments, **more):
    if name == "epf.cli.solving":
        print("importing", file=sys.stderr, flush=True)
        try:
            time.sleep({TIMEOUT_S})
        except KeyboardInterrupt as interrupt:
            if {compiled}:
                raise ImportError("initialization failed") from interrupt
            raise
    return import_module(name, *arguments, **more)

builtins.__import__ = slow
{EPF[2]}
"""
    with started(sys.executable, "-c", code, "solve", PROBLEM) as process:
        assert line_of(process) == "importing\n"
        assert interrupted(process) == (130, "", "epf: interrupted\n")


def test_closed_pipe_is_no_traceback() -> None:
    with started(*SCRIPTED_EPF, "solve", PROBLEM) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_S) == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"epf \d+\.\d+\.\d+\n", capsys.readouterr().out)
