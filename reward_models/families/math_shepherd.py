"""Math-Shepherd (peiyi9979/math-shepherd-mistral-7b-prm), a language model that answers ``+`` or ``-``.

Source: the model card's example. The prompt is the beginning-of-sequence token, ``problem Step 1: ... ки``, a newline,
``Step 2: ... ки`` and so on. The score is the softmax of the logits of ``+`` and ``-`` at the last ``ки``, where ``+`` means
"right". Steps without a number are numbered here, since the model was trained on numbered steps.
"""

from collections.abc import Sequence
from pathlib import Path

from epf.engines.tokenizer import TextTokenizer
from epf.reward_models.families.family import Family
from epf.reward_models.families.numbering import numbered

TAG = "▁ки"
ANSWERS = ("▁+", "▁-")


def math_shepherd(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``."""
    tokenizer = TextTokenizer(directory, markers=(TAG,))
    bos, tag = tokenizer.bos_id(), tokenizer.id_of(TAG)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [bos]
        for i, step in enumerate(steps):
            step = numbered(step, i + 1)
            # Tokenize what follows the tag as its continuation; by itself, it would begin with a space.
            ids.extend(tokenizer.text(f"\n{step}", after="ки") if i else tokenizer.text(f"{problem} {step}"))
            ids.append(tag)
        return tuple(ids)

    ids = (tokenizer.id_of(ANSWERS[0]), tokenizer.id_of(ANSWERS[1]))
    return Family("math-shepherd", prompt, read="next_token", n_values=2, right=0, answers=ANSWERS, answer_ids=ids)


def text(problem: str, steps: Sequence[str]) -> str:
    """The same prompt as text, without the beginning-of-sequence token, which servers add."""
    return f"{problem} " + "\n".join(f"{numbered(step, i)} ки" for i, step in enumerate(steps, start=1))
