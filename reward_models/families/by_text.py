"""Families whose prompt can be sent as text, to servers whose tokenizer is not at hand.

llama.cpp and Ollama serve models as GGUF files, which hold the tokenizer. A family that answers with one of two tokens needs no
more of a server than the log probabilities of the next token. Text has a price: a server would read a special token or a marker
that a step spells as such, where token ids keep the two apart. So markers in a problem or a step are broken up by a space.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from epf.core.generator import Message
from epf.engines.known_markers import without_markers
from epf.reward_models.families import math_psa, math_shepherd, rlhflow, versaprm


@dataclass(frozen=True, slots=True)
class TextFamily:
    """One family, for any tokenizer.

    Attributes:
        name: name in the registry.
        render: renders ``(problem, steps)``, with at least one step, to a text that the answer for the newest step follows, or
            to a conversation in which that answer is the assistant's next turn.
        answers: the two answers as the vocabulary spells them, that for "right" first.
        without_tag: breaks up what closes a step in this family.
    """

    name: str
    render: Callable[[str, Sequence[str]], str | tuple[Message, ...]]
    answers: tuple[str, str]
    without_tag: Callable[[str], str] = str

    def prompt(self, problem: str, steps: Sequence[str]) -> str | tuple[Message, ...]:
        """What :attr:`render` makes of a problem and steps in which all markers are broken up."""
        problem, *steps = (self.without_tag(without_markers(text)) for text in (problem, *steps))
        return self.render(problem, steps)


_BLANK_LINES = re.compile(r"\r?\n(?:[ \t]*\r?\n){2,}[ \t]*")
"""It begins with a line break, so that a text of blank space is searched in one pass."""


def _without_blank_lines(text: str) -> str:
    """A text with no more than one blank line in a row: more of them close a step."""
    return _BLANK_LINES.sub("\n\n", text)


def _without_word(text: str) -> str:
    """A text without a word that begins like the tag of Math-Shepherd."""
    return re.sub(r"\bки", "к и", text)


TEXT_FAMILIES: Mapping[str, TextFamily] = MappingProxyType(
    {
        "math-psa": TextFamily("math-psa", math_psa.text, math_psa.ANSWERS, _without_blank_lines),
        "math-shepherd": TextFamily("math-shepherd", math_shepherd.text, math_shepherd.ANSWERS, _without_word),
        "rlhflow": TextFamily("rlhflow", rlhflow.turns, rlhflow.ANSWERS),
        "versaprm": TextFamily("versaprm", versaprm.text, versaprm.ANSWERS, _without_blank_lines),
    }
)
