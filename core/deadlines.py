"""The time by which the work of the current task has to end, for the calls that it makes of servers.

A call that knows how much time its caller has left can leave a silent server for another one while there is still time for
that, and can say what it waited for when the time is over.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class WorkDeadline:
    """When work ends, on the event loop's clock.

    ``waited_for`` is what the last call that it cut short was waiting for, a sentence; empty if there was no such call.
    """

    at_s: float
    waited_for: str = ""

    @property
    def remaining_s(self) -> float:
        """Time that is left, in seconds; negative after the deadline."""
        return self.at_s - asyncio.get_running_loop().time()


_current: ContextVar[WorkDeadline | None] = ContextVar("work_deadline", default=None)


@contextmanager
def working_until(at_s: float | None) -> Iterator[WorkDeadline | None]:
    """Let calls of the block know when its work ends; None leaves that open. It is not ended here."""
    deadline = None if at_s is None else WorkDeadline(at_s)
    token = _current.set(deadline)
    try:
        yield deadline
    finally:
        _current.reset(token)


def work_deadline() -> WorkDeadline | None:
    """Deadline of the current task's work; None if it has none."""
    return _current.get()
