"""Lines of the log: JSON, with the request's id, and nothing that a caller wrote."""

import asyncio
import io
import json
import logging
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.http.middleware import request_id as request_ids
from epf.service.operations.logs import OURS, JsonLines
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.asgi import called, scope_of
from tests.test_house import PACKAGES

KEY = "a-key-of-the-tests"
SETTINGS = Settings(api_keys={"tests": SecretStr(KEY)})


def line(logger: str, message: str, *arguments: object, **more: Any) -> dict[str, Any]:
    """What one record becomes on its way through a handler."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    handler.emit(logging.LogRecord(logger, logging.WARNING, "a.py", 1, message, arguments, more.pop("exc_info", None)))
    (text,) = written.getvalue().splitlines()
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_record_is_one_json_object_on_one_line() -> None:
    found = line("service.x", "first %s\nsecond %d \ud800", "a", 2)
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "service.x",
        "message": "first a\nsecond 2 \ud800",
        "request_id": request_ids.current.get(),
    }


def test_an_exception_is_its_class_and_place() -> None:
    try:
        raise KeyError("canary")
    except KeyError:
        found = line("uvicorn.error", "Exception in ASGI application\n", exc_info=sys.exc_info())
    assert (found["message"], found["error"]) == ("Exception in ASGI application", "KeyError")
    assert found["where"].startswith("test_logs.py:")
    assert "canary" not in str(found)


def test_what_others_fill_into_their_messages_is_left_out() -> None:
    assert line("somebody", "failed on %r", "canary")["message"] == "failed on %r"
    assert line("asyncio", "Task exception was never retrieved\nfuture: KeyError('canary')")["message"] == (
        "Task exception was never retrieved"
    )


def test_all_packages_of_ours_log_from_the_chosen_level() -> None:
    assert set(PACKAGES) <= set(OURS)


def test_lines_have_the_id_of_their_request() -> None:
    class Logging(ScriptedGenerator):
        async def step(self, *arguments: Any) -> Any:
            found.append(line("generators", "step"))
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
        ("GET", "/healthz/", None, ("GET", None, 307, "anonymous")),
        ("DELETE", "/solve/canary", KEY, ("DELETE", "/solve/{id}", 404, "tests")),
        ("PUT", "/solve/canary", KEY, ("PUT", "/solve/{id}", 405, "tests")),
        ("GET", "/v1/models/canary/of/mine", KEY, ("GET", "/v1/models/{id:path}", 404, "tests")),
        ("GET", "/canary", KEY, ("GET", None, 404, "tests")),
        ("CANARY", "/canary", KEY, ("other", None, 404, "tests")),
        ("DELETE", "/solve/canary", "canary", ("DELETE", None, 401, None)),
    ],
)
def test_a_request_has_one_line_without_its_words(
    method: str, path: str, key: str | None, fields: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")

    async def scenario() -> None:
        app = create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)
        headers = [("authorization", f"Bearer {key}")] if key else []
        async with app.router.lifespan_context(app):
            await called(app, scope_of(method, path, headers, query="canary=canary"))

    asyncio.run(scenario())
    (record,) = (record for record in caplog.records if record.name == "epf.service.http.middleware.access_log")
    told = json.loads(JsonLines().format(record))
    assert (told["method"], told["route"], told["status"], told["caller"]) == fields
    assert told["seconds"] >= 0
    assert "canary" not in str(told).lower()
