"""Problems of GSM8K as templates: a text with slots for numbers, and the program that computes the answer.

The training solutions carry calculator annotations such as ``<<48/2=24>>``. A problem becomes a template if every number of its
annotations can be traced: to the text, among earlier results, or as what a word of the text means (half, dozen, week).
Karl Cobbe et al., "Training Verifiers to Solve Math Word Problems", arXiv 2110.14168.
"""

import hashlib
from dataclasses import dataclass

from epf.training.plain.gsm8k.program import Given, Operation
from epf.training.plain.gsm8k.slots import Slot

_DEVELOPMENT_SHARE = 20
"""One wording in this number is held out from training, by the hash of its text."""


def held_out(text: str) -> bool:
    """Whether a wording is held out from training, for development."""
    return hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % _DEVELOPMENT_SHARE == 0


@dataclass(frozen=True, slots=True)
class Template:
    """A text, its slots in order, and the operations that lead to the answer."""

    text: str
    slots: tuple[Slot, ...]
    program: tuple[Operation, ...]

    @property
    def used(self) -> frozenset[int]:
        """The slots that the program reads; the others stay as they are."""
        operands = [operand for operation in self.program for operand in (operation.left, operation.right)]
        return frozenset(operand.index for operand in operands if isinstance(operand, Given))

    @property
    def held_out(self) -> bool:
        """Whether the wording is held out from training, for development."""
        return held_out(self.text)

    def filled(self, values: dict[int, str]) -> str:
        """Return the text with other words in some slots."""
        text = self.text
        for index in sorted(values, reverse=True):
            slot = self.slots[index]
            text = text[: slot.start] + values[index] + text[slot.end :]
        return text
