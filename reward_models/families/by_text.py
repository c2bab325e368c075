"""Families whose prompt can be sent as text, to servers whose tokenizer is not at hand.

llama.cpp and Ollama serve models as GGUF files, which hold the tokenizer. A family that answers with one of two tokens needs no
more of a server than the log probabilities of the next token. Text has a price: a server reads a special token or a marker that
a step spells as such, where token ids keep the two apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from epf.core.generator import Message
from epf.reward_models.families import math_psa, math_shepherd, rlhflow, versaprm


@dataclass(frozen=True, slots=True)
class TextFamily:
    """One family, for any tokenizer.

    Attributes:
        name: name in the registry.
        prompt: renders ``(problem, steps)``, with at least one step, to a text that the answer for the newest step follows, or
            to a conversation in which that answer is the assistant's next turn.
        answers: the two answers as the vocabulary spells them, that for "right" first.
    """

    name: str
    prompt: Callable[[str, Sequence[str]], str | tuple[Message, ...]]
    answers: tuple[str, str]


TEXT_FAMILIES: Mapping[str, TextFamily] = MappingProxyType(
    {
        "math-psa": TextFamily("math-psa", math_psa.text, math_psa.ANSWERS),
        "math-shepherd": TextFamily("math-shepherd", math_shepherd.text, math_shepherd.ANSWERS),
        "rlhflow": TextFamily("rlhflow", rlhflow.turns, rlhflow.ANSWERS),
        "versaprm": TextFamily("versaprm", versaprm.text, versaprm.ANSWERS),
    }
)
