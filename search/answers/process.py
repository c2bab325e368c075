"""One killable process that compares answers, seen from the thread that waits for it."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

_WORKER = Path(__file__).with_name("worker.py")
_START_LIMIT_S = 60.0

logger = logging.getLogger(__name__)

Verdict = Literal["equal", "different", "stuck", "unknown"]
"""``stuck``: the limit passed, or two processes died of the question. ``unknown``: there was no process to ask."""


class WorkerProcess:
    """A Math-Verify process, started by the first question and replaced when it hangs or dies.

    One thread at a time calls ``ask`` or ``close``; ``kill`` may be called by any thread at any time. The process is run by
    path with the same interpreter, not by ``multiprocessing``, whose spawned children run the user's main module again. It has
    its own session, so Ctrl-C in a terminal does not reach it; it ends when its standard input does, thus with the parent.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._killed = False

    def ask(self, a: str, b: str) -> Verdict:
        """Compare two answers within the limit, which does not count the start of a process. Never raises for any text."""
        for _ in range(2):  # killed from outside while idle, or by this very question? Only a second death tells
            process = self._running()
            if process is None:
                return "unknown"
            reply, timed_out = self._converse(process, json.dumps([a, b]))
            if timed_out or not reply:
                self._discard()
            if reply:
                return "equal" if json.loads(reply) else "different"
            if timed_out:
                break
        return "unknown" if self._killed else "stuck"

    def kill(self) -> None:
        """Kill the process now and for good; a question under way ends with ``unknown``."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Kill, reap and free what the process held."""
        self.kill()
        self._discard()

    def _running(self) -> subprocess.Popen[str] | None:
        """The process, started if need be; None after ``kill`` and when it cannot be started."""
        if self._process is not None:
            if self._process.poll() is None:
                return self._process
            self._discard()
        failure: object
        try:
            process = self._start()
        except OSError as error:
            failure = error
        else:
            if process is None:
                return None
            ready, _ = self._read(process, _START_LIMIT_S)
            if ready and process.poll() is None:
                return process
            self._discard()
            if self._killed:
                return None
            failure = f"exit code {process.returncode}"
        logger.error(
            "The answer worker did not start (%s): answers are compared as numbers and text. Try: %s -c 'import math_verify'",
            failure,
            sys.executable,
        )
        return None

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._killed:
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER), str(self._limit_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                start_new_session=True,
            )
            return self._process

    def _discard(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError), process:  # leaving it closes the pipes and reaps
                pass

    def _converse(self, process: subprocess.Popen[str], request: str) -> tuple[str, bool]:
        assert process.stdin is not None
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return "", False
        return self._read(process, self._limit_s)

    @staticmethod
    def _read(process: subprocess.Popen[str], limit_s: float) -> tuple[str, bool]:
        """Read one line, empty if the process dies, and whether it was killed at the limit."""
        assert process.stdout is not None
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(limit_s, expire)
        timer.daemon = True
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        timer.join()
        return line if line.endswith("\n") else "", timed_out.is_set()
