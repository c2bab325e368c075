"""Keeps training problems apart from the problems that the pair is measured on: no run of eight words in common.

The forms of the synthetic kinds and the battery have the same author, and whoever wrote the other forms may have read SVAMP or
GSM8K's test problems, so a resemblance need not be a coincidence. Numbers and names count as equal, since other numbers in the
same sentence are the same sentence.
"""

import re
from functools import cache

from epf.problem_sets.registry import DATA, load_problems
from epf.problem_sets.synthetic import words
from epf.training.plain.json_lines import read_rows
from epf.training.plain.kinds.grammar.vocabulary import NAMES

BATTERY = DATA / "plain_questions.jsonl"
TEST_SETS = ("svamp", "gsm8k")
RUN = 8
_WORD = re.compile(r"\d[\d.,]*|[a-z']+|[-+*/=]")
_NAMES = frozenset(name.lower() for names in (words.NAMES, *NAMES.values()) for name in names)


def runs(text: str) -> set[tuple[str, ...]]:
    """Return all runs of :data:`RUN` words of a text, with numbers and names masked."""
    found = ["#" if word[0].isdigit() or word in _NAMES else word for word in _WORD.findall(text.lower())]
    return {tuple(found[i : i + RUN]) for i in range(len(found) - RUN + 1)}


@cache
def _measured_runs() -> frozenset[tuple[str, ...]]:
    texts = [row["problem"] for row in read_rows(BATTERY)]
    texts += [problem.text for name in TEST_SETS for problem in load_problems(name)]
    return frozenset(run for text in texts for run in runs(text))


class Unseen:
    """Knows the runs of words of the battery and of both test sets."""

    def __init__(self) -> None:
        self._runs = _measured_runs()

    def __call__(self, text: str) -> bool:
        """Whether a text has no run of words in common with them."""
        return self._runs.isdisjoint(runs(text))
