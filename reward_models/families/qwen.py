"""Qwen2.5-Math-PRM-7B and -72B, and Qwen2.5-Math-7B-PRM800K (``Qwen2ForProcessRewardModel``).

Source: the model cards' example. The prompt is ChatML with the system prompt below and the steps in the assistant's turn, each
followed by ``<extra_0>``. The score is the softmax of the two labels at the last ``<extra_0>``, where index 1 means "right".
"""

from collections.abc import Sequence
from pathlib import Path

from epf.engines.tokenizer import TextTokenizer
from epf.reward_models.families.family import Family

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def qwen(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``."""
    markers = ("<extra_0>", "<|im_start|>", "<|im_end|>")
    tokenizer = TextTokenizer(directory, markers)
    marker, start, end = map(tokenizer.id_of, markers)
    newline = tokenizer.text("\n")
    system = [start, *tokenizer.text(f"system\n{SYSTEM}"), end, *newline]

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [*system, start, *tokenizer.text(f"user\n{problem}"), end, *newline, start]
        for i, step in enumerate(steps):
            # In the template, the role and the first step are one text and may share a token.
            ids.extend((*tokenizer.text(step if i else f"assistant\n{step}"), marker))
        return tuple(ids)

    return Family("qwen2.5-math-prm", prompt, read="tokens", n_values=2, right=1)
