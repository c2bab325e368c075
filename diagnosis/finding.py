"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warning", "failed", "skipped"]
"""``warning``: searches work, but not as well as they could. ``failed``: they do not work. ``skipped``: nothing to check."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of one check: its mark, what was found, and what to do; empty where there is nothing to do."""

    mark: Mark
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check that ran.

    Attributes:
        subject: what was checked, in words: "generator at http://localhost:8001".
        check: name of the check.
        mark: whether searches work.
        found: what was found.
        advice: what to do; empty where there is nothing to do.
        seconds: how long the check took.
    """

    subject: str
    check: str
    mark: Mark
    found: str
    advice: str
    seconds: float


def ok(found: str) -> Outcome:
    """Nothing to do."""
    return Outcome("ok", found)


def warning(found: str, advice: str) -> Outcome:
    """Searches work, but not as well as they could."""
    return Outcome("warning", found, advice)


def failed(found: str, advice: str = "") -> Outcome:
    """Searches do not work."""
    return Outcome("failed", found, advice)


def skipped(found: str) -> Outcome:
    """There is nothing to check."""
    return Outcome("skipped", found)
