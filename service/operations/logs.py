"""Logs on standard error: coloured lines on a terminal, elsewhere one JSON object per line.

They contain nothing that a caller wrote.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being handled, None outside of any."""

OURS = ("epf", "uvicorn")
"""Loggers whose messages contain no problem and no key. Others log only warnings, and only the constant part of a message."""

STYLES = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "bold red"}


def configure(level: str) -> None:
    """Log from ``level`` (debug, info, warning or error) on. uvicorn must be run without a log configuration of its own."""
    logging.basicConfig(handlers=[_handler()], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    # Its lines contain paths and query strings as received; requests are logged by the instrumentation middleware.
    logging.getLogger("uvicorn.access").disabled = True


def _handler() -> logging.Handler:
    if sys.stderr.isatty():
        from rich.console import Console

        return TerminalHandler(Console(stderr=True))
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    return handler


class JsonLines(logging.Formatter):
    """A record as one JSON object; ``extra={"fields": ...}`` adds fields to it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break."""
        return json.dumps(entry_of(record))


class TerminalHandler(logging.Handler):
    """Writes a record as a coloured line: time, level, message, then the other fields."""

    def __init__(self, console: "Console") -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        from rich.text import Text

        entry = entry_of(record)
        level, message = entry.pop("level"), entry.pop("message")
        time = datetime.fromisoformat(entry.pop("time")).astimezone()
        if record.name.split(".")[0] in OURS:
            del entry["logger"]
        fields = "".join(f" {name}={value}" for name, value in entry.items() if value is not None)
        line = Text.assemble((f"{time:%H:%M:%S} ", "dim"), (f"{level:<8}", STYLES.get(level, "")), message, (fields, "dim"))
        try:
            self._console.print(line, soft_wrap=True)
        except Exception:
            self.handleError(record)


def entry_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a log line.

    An exception is described by its class and where it was raised, not by its message, which may quote a problem.
    """
    entry: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
        "request_id": current_request_id.get(),
        **getattr(record, "fields", {}),
    }
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        entry |= {"error": type(error).__name__, "where": where(error)}
    return entry


def _message(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] in OURS:
        return record.getMessage().strip()
    # asyncio, for one, writes whole exceptions into its messages, below the first line.
    return str(record.msg).split("\n")[0]


def where(error: BaseException) -> str:
    """The frames in which an exception was raised, innermost first, without its message, which may quote the problem."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
