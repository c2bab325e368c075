"""Errors that keep ``epf serve`` and ``epf serve-prm`` from starting: one line with the cause, and exit code 2."""

import os
import socket
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.cli.serve_prm import DEFAULT_PORT as SCORING_PORT
from epf.cli.settings import read_server_settings
from tests.cli.processes import EPF, ended

COMMANDS = ("serve", "serve-prm")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--port", "70000"], {}, "port (--port): "),
        ([], {"EPF_PORT": "70000"}, "port (EPF_PORT): "),
        (["--host", "0.0.0.0"], {}, "EPF_API_KEYS__NAME"),
        ([], {"EPF_MAX_SECONDS": "soon"}, "max_seconds (EPF_MAX_SECONDS): "),
        ([], {"EPF_MAX_SECONDS": "0", "EPF_DRAIN_S": "-1"}, "drain_s (EPF_DRAIN_S): "),
        ([], {"EPF_SEARCH__TOP_P": "7"}, "search.top_p (EPF_SEARCH__TOP_P): "),
        ([], {"EPF_API_KEYS": '{"alice": 12345}'}, "api_keys.alice (EPF_API_KEYS__ALICE): "),
        ([], {"EPF_API_KEYS__ALICE": "12345"}, "api_keys.alice"),
        ([], {"EPF_API_KEYS": "{alice: 12345}"}, "EPF_API_KEYS"),
        ([], {"EPF_SETTINGS": "no/such/file"}, "EPF_SETTINGS names no/such/file"),
        ([], {"EPF_SETTINGS": "{tmp}/settings.toml"}, "settings.toml"),
        ([], {"EPF_GENERATOR__NAEM": "12345"}, "generator.naem (EPF_GENERATOR__NAEM): "),
        ([], {"EPF_GENERATOR": "openai"}, "generator: 'openai' names no model: give --generator or EPF_GENERATOR an address"),
        ([], {"EPF_GENERATOR_URL": "http://h:1"}, "EPF_GENERATOR_URL is now EPF_GENERATOR__URL: rename the variable"),
        ([], {"EPF_GENERATOR__API_KEY": "12345"}, "generator.api_key (EPF_GENERATOR__API_KEY) has no effect, since"),
        ([], {"EPF_REWARD_MODEL__FAMILY": "judge"}, "no reward model is named: name its model with --reward-model or EPF_RE"),
        (
            [],
            {"EPF_GENERATOR": "http://a:1", "EPF_GENERATOR__URL": "http://b:1"},
            "set one of EPF_GENERATOR and EPF_GENERATOR_",
        ),
        ([], {"EPF_GENERATOR_API_KEY": "12345"}, "EPF_GENERATOR_API_KEY is now EPF_GENERATOR__API_KEY: rename the variable"),
        ([], {"EPF_CALIBRATION": "12345"}, "EPF_CALIBRATION is now EPF_REWARD_MODEL__CALIBRATION: rename the variable"),
        (
            [],
            {"EPF_SETTINGS": "{tmp}/old.toml"},
            "`reward_model_url` in the settings file is now `reward_model.url`: rename it",
        ),
    ],
)
def test_a_bad_setting_is_named_and_not_quoted(
    command: str,
    arguments: list[str],
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "settings.toml").write_text("port = \n")
    (tmp_path / "old.toml").write_text("reward_model_url = '12345'\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("{tmp}", str(tmp_path)))
    assert main([command, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("epf: ")
    assert message in line
    assert "12345" not in line


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_variables_are_reported_with_the_closest_match(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {
        "EPF_API_KEY": "12345",
        "EPF_SERACH__TOP_P": "1",
        "EPF_2_SERVICE_HOST": "h",
        "EPF_SEARCH_SEED": "1",
        "EPF_SEARCH__TOP_P": "1",
        "EPFL": "1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main([command, "--port", "70000"]) == 2
    *messages, _ = capsys.readouterr().err.splitlines()
    assert messages == [
        "epf: EPF_2_SERVICE_HOST is not a setting and is ignored",
        "epf: EPF_API_KEY is not a setting and is ignored; did you mean EPF_API_KEYS?",
        "epf: EPF_SEARCH_SEED is not a setting and is ignored; did you mean EPF_SEARCH__SEED?",
        "epf: EPF_SERACH__TOP_P is not a setting and is ignored; did you mean EPF_SEARCH__TOP_P?",
    ]


def test_a_table_that_is_not_json_names_its_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EPF_API_KEYS", "canary")
    assert main(["serve"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("epf: settings: the value of EPF_API_KEYS is not valid JSON: write ")
    assert '{"NAME": "VALUE"}' in error
    assert "EPF_API_KEYS__NAME" in error
    assert "canary" not in error


def test_the_scoring_server_has_a_port_of_its_own_unless_one_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_server_settings(None, None, {}, SCORING_PORT).port == 8002
    assert read_server_settings(None, 9, {}, SCORING_PORT).port == 9
    (tmp_path / "settings.toml").write_text("port = 8000\n")
    monkeypatch.setenv("EPF_SETTINGS", str(tmp_path / "settings.toml"))
    assert read_server_settings(None, None, {}, SCORING_PORT).port == 8000
    monkeypatch.setenv("EPF_PORT", "9000")
    assert read_server_settings(None, None, {}, SCORING_PORT).port == 9000


def outcome(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status of the command in a process of its own, and the last line that it wrote."""
    done = ended(*EPF, *arguments, environment={**os.environ, **environment})
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_a_port_that_is_taken_is_named(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, line = outcome(command, "--port", str(port))
    assert status == 2
    assert line == (
        f"epf: cannot listen on 127.0.0.1, port {port}: Address already in use: "
        "choose another address with --host and --port or EPF_HOST and EPF_PORT"
    )


@pytest.mark.slow
def test_inconsistent_settings_of_a_model_are_reported() -> None:
    status, line = outcome("serve", "--port", "0", EPF_REWARD_MODEL__KIND="http")
    assert status == 2
    assert line == "epf: Reward model 'http' requires the option `url`."


@pytest.mark.parametrize("name", ["EPF_MAX_PARTICLES_IN_FLIGHT", "EPF_MAX_PARTICLES_PER_KEY"])
@pytest.mark.slow
def test_limits_must_allow_the_largest_request(name: str) -> None:
    status, line = outcome("serve", **{name: "100"})
    assert status == 2
    assert line.endswith(f"which is 100: lower EPF_MAX_PARTICLES or raise {name}")
