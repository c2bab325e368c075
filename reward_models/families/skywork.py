"""Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B.

Source: ``prepare_input`` of SkyworkAI/skywork-o1-prm-inference, with the newline as step token as in the model cards. Without a
chat template, the prompt is the beginning-of-sequence token, the problem and a newline, then each line of the solution,
tokenized by itself and closed by the newline's token. A value head outputs one logit per token; the score of a line is the
sigmoid at the newline that closes it.

For this family, every line is a step: a step of several lines is closed line by line and scored at its last line. vLLM does not
have this architecture; a plugin that registers it serves ``token_classify``, which :attr:`Family.read` stands for.
"""

from collections.abc import Sequence
from pathlib import Path

from epf.engines.tokenizer import TextTokenizer
from epf.reward_models.families.family import Family


def skywork(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``, which must name a ``bos_token``."""
    tokenizer = TextTokenizer(directory)
    bos, newline = tokenizer.bos_id(), tokenizer.text("\n")[-1]

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [bos, *tokenizer.text(f"{problem}\n")]
        for step in steps:
            for line in [line for line in step.split("\n") if line] or [""]:
                ids.extend((*tokenizer.text(line), newline))
        return tuple(ids)

    return Family("skywork-o1-prm", prompt, read="tokens")
