"""Problems that cannot be answered: a template with one of its numbers replaced by a word such as "some"."""

import re

import numpy as np

from epf.training.plain.gsm8k.program import run
from epf.training.plain.gsm8k.slots import Slot
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.problem import PlainProblem

_VAGUE = ("some", "several", "a number of", "a few", "many")


def without_a_number(rng: np.random.Generator, template: Template) -> PlainProblem | None:
    """Return the problem without a number on which its answer depends; ``None`` if no number can go."""
    candidates = [index for index in template.used if _can_go(template, template.slots[index]) and _matters(template, index)]
    if not candidates:
        return None
    gone = candidates[int(rng.integers(len(candidates)))]
    word = _VAGUE[int(rng.integers(len(_VAGUE)))]
    return PlainProblem(template.filled({gone: word.capitalize() if template.slots[gone].start == 0 else word}), (), None)


def _can_go(template: Template, slot: Slot) -> bool:
    """Whether the number counts things: no price, percentage, part of a word or factor."""
    before, after = template.text[: slot.start], template.text[slot.end :]
    return not re.search(r"[$-]\s?$|\b(?:the|all|every|each|another|of|only) $", before) and bool(
        re.match(r" (?!more|fewer|less|times|percent|and|or|out)[a-z]", after)
    )


def _matters(template: Template, index: int) -> bool:
    values = [slot.value for slot in template.slots]
    other = [value + 1 if i == index else value for i, value in enumerate(values)]
    return run(template.program, values)[-1] != run(template.program, other)[-1]
