"""``epf doctor``: its lines, its JSON and its exit codes."""

import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from epf.cli.main import main
from tests.cli.processes import EPF, TIMEOUT_S, ended, started

MARKS = {"ok", "warning", "failed", "skipped"}


@pytest.fixture(autouse=True)
def _without_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are not wrapped. Processes that run several test modules may have a width in their environment."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets it meanwhile
        yield taken.getsockname()[1]


def test_an_embedded_pair_passes_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--generator", "stories"]) == 0
    lines = capsys.readouterr().out.splitlines()
    subjects = [line for line in lines if line and not line.startswith(" ")][:-1]
    assert subjects == ["generator", "reward model"]
    assert {line.split()[0] for line in lines if line.startswith("  ")} == {"ok"}
    assert any("read: 19 (right)" in line for line in lines)
    assert lines[-1].endswith("tokens, read and sampled.")


def test_json_has_an_object_for_each_check_and_one_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--generator", "stories", "--json"]) == 0
    *findings, total = map(json.loads, capsys.readouterr().out.splitlines())
    assert {tuple(finding) for finding in findings} == {("subject", "check", "mark", "found", "advice", "seconds")}
    assert {finding["mark"] for finding in findings} <= MARKS
    assert total["ok"] == len(findings)
    assert total["tokens"] > 0


def test_a_failure_has_exit_code_1_and_what_depends_on_it_is_one_line(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EPF_GENERATOR__API_KEY", "sk-0123456789abcdef")
    assert main(["doctor", "--generator", f"http://127.0.0.1:{closed_port}/v1"]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == f"generator at http://127.0.0.1:{closed_port}"
    assert lines[1].split()[:2] == ["failed", "address"]
    assert lines[2].strip() == "-> Nothing listens at this address, so check it and start the server."
    assert lines[3].endswith("certificate, response, key, models, server, route, loading: after what failed above")
    assert "sk-" not in out


@pytest.mark.slow
def test_a_terminal_of_80_columns_is_not_exceeded_and_a_pipe_has_no_colours() -> None:
    done = ended(*EPF, "doctor", environment=dict(os.environ, COLUMNS="80"))
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_wrong_command_line_has_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "everything"]) == 2
    assert main(["doctor", "--generator", "localhost:8001"]) == 2
    assert main(["doctor", "--fast"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_an_interrupt_ends_the_checks_at_once() -> None:
    """Also while a server that accepts connections sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "http://{}:{}".format(*silent.getsockname())
        with started(*EPF, "doctor", "--generator", address) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().strip() == f"generator at {address}"
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) == 130
            assert process.stderr.read() == "epf: interrupted\n"


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_reader_that_leaves_ends_the_checks(flags: tuple[str, ...]) -> None:
    with started(*EPF, "doctor", *flags) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(TIMEOUT_S) == 1
        assert process.stderr.read() == ""
