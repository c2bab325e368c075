"""Math-Shepherd (peiyi9979/math-shepherd-mistral-7b-prm), a language model that answers ``+`` or ``-``.

Source: the model card's example. Beginning-of-sequence token, ``problem Step 1: ... ки``, newline, ``Step 2: ... ки`` and so
on; the logits of ``+`` and ``-`` at each ``ки``, whose softmax says "right" for ``+``. Steps that do not count themselves are
counted here, since the model was trained on counted ones.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from epf.reward_models.families.family import Family
from epf.reward_models.families.tokenizer import FamilyTokenizer

TAG = "▁ки"
ANSWERS = ("▁+", "▁-")
_COUNTED = re.compile(r"Step \d+:")


def math_shepherd(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``."""
    tokenizer = FamilyTokenizer(directory, markers=(TAG,))
    bos, tag = tokenizer.bos_id(), tokenizer.id_of(TAG)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [bos]
        for i, step in enumerate(steps):
            step = step.strip()
            step = step if _COUNTED.match(step) else f"Step {i + 1}: {step}".strip()
            # What follows the tag is tokenised as its continuation: alone, it would begin with a blank of its own.
            ids.extend(tokenizer.text(f"\n{step}", after="ки") if i else tokenizer.text(f"{problem} {step}"))
            ids.append(tag)
        return tuple(ids)

    ids = (tokenizer.id_of(ANSWERS[0]), tokenizer.id_of(ANSWERS[1]))
    return Family("math-shepherd", prompt, read="next_token", n_values=2, right=0, answers=ANSWERS, answer_ids=ids)
