"""Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B.

Source: ``prepare_input`` of SkyworkAI/skywork-o1-prm-inference, with the newline as step token as in the model cards. No chat
template: beginning-of-sequence token, problem and a newline; then each line of the solution, tokenised alone and closed by the
newline's token. A value head gives one logit per token; its sigmoid at a closing newline is the score of that line.

To this family every line is a step: a step of several lines is closed line by line and judged at its last one. vLLM has no such
architecture of its own; a plugin that registers it answers ``token_classify``, which is what :attr:`Family.read` asks for.
"""

from collections.abc import Sequence
from pathlib import Path

from epf.reward_models.families.family import Family
from epf.reward_models.families.tokenizer import FamilyTokenizer


def skywork(directory: Path) -> Family:
    """The family, bound to the tokenizer in ``directory``, which must name a ``bos_token``."""
    tokenizer = FamilyTokenizer(directory)
    bos, newline = tokenizer.bos_id(), tokenizer.text("\n")[-1]

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        ids = [bos, *tokenizer.text(f"{problem}\n")]
        for step in steps:
            for line in [line for line in step.split("\n") if line] or [""]:
                ids.extend((*tokenizer.text(line), newline))
        return tuple(ids)

    return Family("skywork-o1-prm", prompt, read="tokens")
