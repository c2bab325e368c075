"""VersaPRM and Llama-PRM800K (UW-Madison-Lee-Lab), language models that answer ``+`` or ``-``, for more than mathematics.

Source: the model cards' example (arXiv 2502.06737). The prompt is the beginning-of-sequence token, the problem, a space and a
blank line, then each step, followed by a space and four newlines, which are one token. The score is the softmax of the logits
of ``-`` and ``+`` at the last of these, where ``+`` means "right".
"""

from collections.abc import Sequence
from pathlib import Path

from epf.engines.tokenizer import TextTokenizer
from epf.reward_models.families.family import Family

TAG = "ĠĊĊĊĊ"
ANSWERS = ("+", "-")


def versaprm(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``."""
    tokenizer = TextTokenizer(directory, markers=(TAG,))
    bos, tag = tokenizer.bos_id(), tokenizer.id_of(TAG)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [bos, *tokenizer.text(f"{problem} \n\n")]
        for step in steps:
            ids.extend((*tokenizer.text(step.strip()), tag))
        return tuple(ids)

    ids = (tokenizer.id_of(ANSWERS[0]), tokenizer.id_of(ANSWERS[1]))
    return Family("versaprm", prompt, read="next_token", n_values=2, right=0, answers=ANSWERS, answer_ids=ids)


def text(problem: str, steps: Sequence[str]) -> str:
    """The same prompt as text, without the beginning-of-sequence token, which servers add."""
    return f"{problem} \n\n" + "".join(f"{step.strip()} \n\n\n\n" for step in steps)
