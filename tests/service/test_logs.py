"""Log lines are JSON, or coloured text on a terminal. They have the id of their request and nothing that a caller wrote."""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.http.middleware.instrumentation import access_log
from epf.service.operations import logs
from epf.service.operations.logs import OURS, JsonLines, configure, current_request_id
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import called, scope_of

KEY = "a-key-of-the-tests"
SETTINGS = Settings(api_keys={"tests": SecretStr(KEY)})


def line(logger: str, message: str, *arguments: object, **more: Any) -> dict[str, Any]:
    """One record after it went through a handler."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    handler.emit(logging.LogRecord(logger, logging.WARNING, "a.py", 1, message, arguments, more.pop("exc_info", None)))
    (text,) = written.getvalue().splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_record_is_one_json_object_on_one_line() -> None:
    found = line("epf.service.x", "first %s\nsecond %d \ud800", "a", 2)
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "epf.service.x",
        "message": "first a\nsecond 2 \ud800",
        "request_id": current_request_id.get(),
    }


def test_an_exception_is_logged_by_its_class_and_location() -> None:
    try:
        raise KeyError("canary")
    except KeyError:
        found = line("uvicorn.error", "Exception in ASGI application\n", exc_info=sys.exc_info())
    assert (found["message"], found["error"]) == ("Exception in ASGI application", "KeyError")
    assert found["where"].startswith("test_logs.py:")
    assert "canary" not in str(found)


def test_arguments_of_foreign_messages_are_left_out() -> None:
    assert line("somebody", "failed on %r", "canary")["message"] == "failed on %r"
    assert line("asyncio", "Task exception was never retrieved\nfuture: KeyError('canary')")["message"] == (
        "Task exception was never retrieved"
    )


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, whose handlers are restored after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_are_coloured_on_a_terminal_and_json_elsewhere(
    terminal: bool, root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", written)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    configure("info")
    logging.getLogger("epf.x").info("request", extra={"fields": {"status": 200, "caller": None}})
    logging.getLogger("epf.x").debug("too low")
    logging.getLogger("other").warning("failed on %r", "canary")
    first, second = written.getvalue().splitlines()
    if not terminal:
        assert json.loads(first)["status"] == 200
        return
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in (first, second)]
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    request status=200", plain[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning failed on %r logger=other", plain[1])
    assert "\x1b[32minfo" in first


def test_our_loggers_log_from_the_chosen_level() -> None:
    assert __name__.split(".")[0] not in OURS
    assert {access_log.name.split(".")[0], logs.__name__.split(".")[0]} <= set(OURS)


def test_lines_have_the_id_of_their_request() -> None:
    class Logging(ScriptedGenerator):
        async def step(self, *arguments: Any) -> Any:
            found.append(line("epf.generators", "step"))
            return await super().step(*arguments)

    found: list[dict[str, Any]] = []

    async def scenario() -> None:
        app = create_app(Logging(), ScriptedRewardModel())
        body = {"type": "http.request", "body": json.dumps({"problem": "a", "n_particles": 2}).encode()}
        async with app.router.lifespan_context(app):
            for id in ("first", "second"):
                headers = [("content-type", "application/json"), ("x-request-id", id)]
                await asyncio.create_task(called(app, scope_of("POST", "/solve", headers), [body]))

    asyncio.run(scenario())
    assert [entry["request_id"] for entry in found] == ["first"] * 8 + ["second"] * 8


@pytest.mark.parametrize(
    ("method", "path", "key", "fields"),
    [
        ("GET", "/healthz/", None, ("GET", "/healthz", 200, "anonymous")),
        ("DELETE", "/solve/canary", KEY, ("DELETE", "/solve/{id}", 404, "tests")),
        ("PUT", "/solve/canary", KEY, ("PUT", "/solve/{id}", 405, "tests")),
        ("GET", "/v1/models/canary/of/mine", KEY, ("GET", "/v1/models/{id:path}", 404, "tests")),
        ("GET", "/canary", KEY, ("GET", None, 404, "tests")),
        ("CANARY", "/canary", KEY, ("other", None, 404, "tests")),
        ("DELETE", "/solve/canary", "canary", ("DELETE", None, 401, None)),
    ],
)
def test_a_request_has_one_line_that_quotes_nothing(
    method: str, path: str, key: str | None, fields: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, access_log.name)

    async def scenario() -> None:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)
        headers = [("authorization", f"Bearer {key}")] if key else []
        async with app.router.lifespan_context(app):
            await called(app, scope_of(method, path, headers, query="canary=canary"))

    asyncio.run(scenario())
    (record,) = (record for record in caplog.records if record.name == access_log.name)
    entry = json.loads(JsonLines().format(record))
    assert (entry["method"], entry["route"], entry["status"], entry["caller"]) == fields
    assert entry["seconds"] >= 0
    assert "canary" not in str(entry).lower()
