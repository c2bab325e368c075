"""Logs: one JSON object per line on standard error, with nothing in them that a caller wrote."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from epf.service.http.errors import where
from epf.service.http.middleware import request_id as request_ids

OURS = ("epf", "uvicorn")
"""Whose messages hold no problem and no key. Of others' only the fixed part is logged, and nothing below a warning."""


def configure(level: str) -> None:
    """Log from ``level`` (debug, info, warning or error) on. Uvicorn must be told to leave logging alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    # Its lines hold paths and query strings as they came; ours are those of epf.service.http.middleware.access_log.
    logging.getLogger("uvicorn.access").disabled = True


class JsonLines(logging.Formatter):
    """A record as one JSON object; ``extra={"fields": ...}`` adds to it.

    An exception is told by its class and where it was raised, not by its message, which may quote a problem.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "request_id": request_ids.current.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line |= {"error": type(error).__name__, "where": where(error)}
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] in OURS:
        return record.getMessage().strip()
    # asyncio, for one, writes whole exceptions into its messages, below their first line.
    return str(record.msg).split("\n")[0]
