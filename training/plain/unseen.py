"""Keeps training problems apart from the battery of plain questions: no run of eight words in common.

The forms of the synthetic kinds and the battery have the same author, so a resemblance would not be a coincidence. Numbers and
names count as equal, since other numbers in the same sentence are the same sentence.
"""

import re
from pathlib import Path

from epf.problem_sets.registry import DATA
from epf.problem_sets.synthetic import words
from epf.training.plain.json_lines import read_rows
from epf.training.plain.kinds.grammar.vocabulary import NAMES

BATTERY = DATA / "plain_questions.jsonl"
RUN = 8
_WORD = re.compile(r"\d[\d.,]*|[a-z']+|[-+*/=]")
_NAMES = frozenset(name.lower() for names in (words.NAMES, *NAMES.values()) for name in names)


def runs(text: str) -> set[tuple[str, ...]]:
    """Return all runs of :data:`RUN` words of a text, with numbers and names masked."""
    found = ["#" if word[0].isdigit() or word in _NAMES else word for word in _WORD.findall(text.lower())]
    return {tuple(found[i : i + RUN]) for i in range(len(found) - RUN + 1)}


class Unseen:
    """Knows the battery's runs of words."""

    def __init__(self, battery: Path = BATTERY) -> None:
        self._runs = {run for row in read_rows(battery) for run in runs(row["problem"])}

    def __call__(self, text: str) -> bool:
        """Whether a text has no run of words in common with the battery."""
        return self._runs.isdisjoint(runs(text))
