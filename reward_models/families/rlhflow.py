"""RLHFlow/Llama3.1-8B-PRM-Deepseek-Data and -Mistral-Data, language models that answer each step with ``+`` or ``-``.

Source: ``math-rm/prm_evaluate.py`` of RLHFlow/RLHF-Reward-Modeling. The prompt is a conversation in the model's own chat
template: the user sends the problem and the first step, separated by a space, then each further step, and the assistant has
answered ``+`` so far. The score is the softmax of the logits of ``+`` and ``-`` in the assistant's next answer, where ``+``
means "right".
"""

from collections.abc import Sequence
from pathlib import Path

from epf.core.generator import Message
from epf.engines.tokenizer import ChatTokenizer, TextTokenizer
from epf.reward_models.families.family import Family

ANSWERS = ("+", "-")


def rlhflow(directory: Path) -> Family:
    """The family, bound to the tokenizer and chat template in ``directory``."""
    chat = ChatTokenizer(directory)
    tokenizer = TextTokenizer(directory)

    def prompt(problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        return chat.render(turns(problem, steps))

    ids = (tokenizer.id_of(ANSWERS[0]), tokenizer.id_of(ANSWERS[1]))
    return Family("rlhflow", prompt, read="next_token", n_values=2, right=0, answers=ANSWERS, answer_ids=ids)


def turns(problem: str, steps: Sequence[str]) -> tuple[Message, ...]:
    """The conversation, in which the answer for the newest step is the assistant's next turn."""
    messages: list[Message] = []
    for i, step in enumerate(steps):
        if i:
            messages.append(Message("assistant", ANSWERS[0]))
        messages.append(Message("user", step.strip() if i else f"{problem} {step}".strip()))
    return tuple(messages)
