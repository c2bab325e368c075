"""The reward model that ships with this package, and any sequence classifier with one label that is trained like it.

The chat template renders the problem, a blank line (one token) closes each step, and the logit is read at the last blank line.
"""

from collections.abc import Sequence
from pathlib import Path

from epf.core.generator import Message
from epf.engines.tokenizer import ChatTokenizer, TextTokenizer
from epf.reward_models.families.family import Family

SEPARATOR = "\n\n"
"""Closes each step of a trace; an added token of the vocabulary."""


def embedded(directory: Path) -> Family:
    """``LlamaForSequenceClassification`` with ``num_labels`` 1; the sigmoid of its logit is the probability."""
    chat = ChatTokenizer(directory)
    tokenizer = TextTokenizer(directory, markers=(SEPARATOR,))
    separator_id = tokenizer.id_of(SEPARATOR)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = list(chat.render([Message("user", problem)]))
        for step in steps:
            ids.extend((*tokenizer.text(step), separator_id))
        return tuple(ids)

    return Family("embedded", prompt)
