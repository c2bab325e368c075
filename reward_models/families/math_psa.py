"""Math-psa of OpenR (openreasoner/Math-psa), an adapter for Qwen2.5-Math-7B-Instruct that answers ``+`` or ``-``.

Source: ``prm/code/test_qwen.py`` and ``prm/infer_fns.py`` of openreasoner/openr. The prompt is the problem and the numbered
steps, separated by spaces, each step followed by a space and five newlines, which are one token. The score is the softmax of
the logits of ``+`` and ``-`` with a space before them at the last of these, where ``+`` means "right". Merge the adapter into
its base model to serve it.
"""

from collections.abc import Sequence
from pathlib import Path

from epf.engines.tokenizer import TextTokenizer
from epf.reward_models.families.family import Family
from epf.reward_models.families.numbering import numbered

TAG = "ĠĊĊĊĊĊ"
ANSWERS = ("Ġ+", "Ġ-")


def math_psa(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``."""
    tokenizer = TextTokenizer(directory, markers=(TAG,))
    tag = tokenizer.id_of(TAG)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [*tokenizer.text(problem)] if problem else []
        for i, step in enumerate(steps):
            ids.extend((*tokenizer.text(f" {numbered(step, i + 1)}"), tag))
        return tuple(ids)

    ids = (tokenizer.id_of(ANSWERS[0]), tokenizer.id_of(ANSWERS[1]))
    return Family("math-psa", prompt, read="next_token", n_values=2, right=0, answers=ANSWERS, answer_ids=ids)


def text(problem: str, steps: Sequence[str]) -> str:
    """The same prompt as text."""
    return problem + "".join(f" {numbered(step, i)} \n\n\n\n\n" for i, step in enumerate(steps, start=1))
