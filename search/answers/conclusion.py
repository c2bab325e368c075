"""What a solution concludes: an answer, or that the problem cannot be answered.

Solutions that find the information insufficient vote like those with an answer. A problem that cannot be answered is otherwise
decided by the few particles that invent an answer.
"""

import re
from typing import Final

from epf.search.answers.extract import THOUGHT, final_answer, is_thinking

NOT_ENOUGH: Final = "not enough information"
"""Stands for the conclusion that the problem cannot be answered, where a solution with an answer has the answer."""

MAX_SENTENCE = 300
"""Maximum number of characters at the end of a solution that are searched for the conclusion."""

_INFORMATION = r"(?:information|info|data|details?|facts)\b"
_FOUND = r"(?:determin|answer|solv|calculat|comput|found(?! (?:in|on|at|among)\b)|known|said)"
_FIND = r"(?:determin|calculat|comput|find|know|say|tell)"
_CANNOT = r"(?:cannot|can not|can't|could not)"
_CONCLUSION = re.compile(
    rf"(?:(?:\bnot|n't|\bno) (?:have |give |provide |contain )?(?:enough|sufficient|adequate) (?:\w+ )?{_INFORMATION}"
    rf"|\b(?:insufficient|inadequate|too little) (?:\w+ )?{_INFORMATION}"
    rf"|\b{_INFORMATION} (?:\w+ ){{0,4}}(?:is|are) (?:insufficient|not (?:enough|sufficient|given|provided))"
    rf"|\b{_CANNOT} be {_FOUND}"
    rf"|(?:^\W*|\b(?:I|we|you|one) ){_CANNOT} {_FIND}"  # not what somebody in the problem cannot do
    rf"|\b(?:impossible|not possible) to (?:be {_FOUND}|{_FIND}))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def conclusion(text: str) -> str | None:
    """The answer in a text that its writer has ended, or :data:`NOT_ENOUGH`; None if it has neither.

    An answer counts even if the text doubts it. Without one, the last sentence decides. Never raises; linear in ``len(text)``.
    """
    answer = final_answer(text)
    if answer is not None:
        return answer
    return NOT_ENOUGH if not is_thinking(text) and says_not_enough(text.rpartition(THOUGHT)[2]) else None


def says_not_enough(text: str) -> bool:
    """Whether the last sentence of a text states that the problem lacks information that it needs."""
    sentences = [sentence for sentence in _SENTENCE.split(text[-MAX_SENTENCE:]) if sentence.strip()]
    return bool(sentences) and _CONCLUSION.search(sentences[-1].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")) is not None
