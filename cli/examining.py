"""What ``epf doctor`` prints: a line for each check, in a table for people, as JSON for machines."""

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from dataclasses import asdict
from json import dumps
from textwrap import wrap
from typing import TextIO

from rich.console import Console
from rich.text import Text

from epf.cli.view import printable
from epf.diagnosis.doctor import Doctor
from epf.diagnosis.finding import Finding, Mark

COLOURS: dict[Mark, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}
INDENT = 28
"""Column in which what was found begins."""


async def examine(doctor: Doctor, stream: TextIO, *, as_json: bool) -> int:
    """Print what each check finds, as soon as it does. Returns the exit code: 1 if a check failed."""
    marks: Counter[Mark] = Counter()
    report = _Report(stream)
    with _collected_log() as log, nullcontext() if as_json else report.waiting():
        async with aclosing(doctor.findings()) as findings:
            async for finding in findings:
                marks[finding.mark] += 1
                if as_json:
                    print(dumps(asdict(finding), ensure_ascii=False), file=stream, flush=True)
                else:
                    report.show(finding)
    if as_json:
        counts = {mark: marks[mark] for mark in COLOURS}
        print(dumps({**counts, "tokens": doctor.n_tokens, "log": list(log)}), file=stream, flush=True)
    else:
        report.log(log)
        report.total(marks, doctor.n_tokens)
    return 1 if marks["failed"] else 0


@contextmanager
def _collected_log() -> Iterator[Counter[str]]:
    """What is logged in the block, each line once, with its number: it would be written in the middle of the report."""
    lines: Counter[str] = Counter()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines[record.getMessage()] += 1

    logger, collector = logging.getLogger("epf"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)


class _Report:
    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        wraps = self._console.is_terminal or "COLUMNS" in os.environ
        self._width = max(self._console.width - INDENT, INDENT) if wraps else sys.maxsize
        self._subject = ""
        self._skipped: list[Finding] = []

    def waiting(self) -> AbstractContextManager[object]:
        """Shows on a terminal that a check runs."""
        return self._console.status("checking") if self._console.is_terminal else nullcontext()

    def show(self, finding: Finding) -> None:
        """Print one line, with what to do below it."""
        if finding.mark == "skipped" and finding.found.startswith("needs: "):
            self._skipped.append(finding)
            return
        self._flush()
        if finding.subject != self._subject:
            self._subject = finding.subject
            self._console.print(Text(finding.subject, "bold"))
        self._line(finding.mark, finding.check, finding.found, finding.advice)

    def log(self, lines: "Counter[str]") -> None:
        """Print what was logged."""
        self._flush()
        if lines:
            self._console.print(Text("log", "bold"))
        for line, n in lines.items():
            for part in wrap(printable(line) + (f" ({n} times)" if n > 1 else ""), self._width + INDENT - 2):
                self._console.print(f"  {part}", markup=False)

    def total(self, marks: "Counter[Mark]", n_tokens: int) -> None:
        """Print the last line."""
        self._flush()
        counted = ", ".join(f"{marks[mark]} {mark}" for mark in COLOURS if marks[mark])
        self._console.print(f"\n{counted}. The checks cost {n_tokens} tokens, read and sampled.")

    def _flush(self) -> None:
        """Print the checks that had to be skipped, as one line."""
        if self._skipped:
            names = ", ".join(finding.check for finding in self._skipped)
            self._line("skipped", "", f"{names}: after what failed above", "")
            self._skipped = []

    def _line(self, mark: Mark, name: str, found: str, advice: str) -> None:
        lines = [*self._wrapped(found, ""), *(self._wrapped(f"-> {advice}", "cyan") if advice else ())]
        first = Text.assemble("  ", (f"{mark:8}", COLOURS[mark]), f"{name:18}", lines[0])
        self._console.print(first, *(Text.assemble(" " * INDENT, line) for line in lines[1:]), sep="\n")

    def _wrapped(self, text: str, style: str) -> list[Text]:
        return [Text(line, style) for line in wrap(printable(text), self._width, break_on_hyphens=False)] or [Text()]
