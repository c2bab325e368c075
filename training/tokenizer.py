"""The tokenizers of the embedded pairs: byte-level BPE trained on problems, and the chat template.

Every digit is one token unless a pair has its own numbers; so are a blank line (the step separator) and each operation with its
spaces.
"""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Protocol

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from epf.problem_sets.synthetic.problem import SEPARATOR
from epf.problem_sets.synthetic.problems import problems

VOCABULARY = 1024
END = "<|im_end|>"
SPECIALS = ("<|endoftext|>", "<|im_start|>", END)
ADDED = (SEPARATOR, " + ", " - ", " * ", " / ", " = ", "\\boxed{")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Solved(Protocol):
    """A problem with the steps of its solution."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def solution(self) -> tuple[str, ...]: ...  # noqa: D102


def make_tokenizer(seed: int = 0, n_problems: int = 40_000) -> Tokenizer:
    """Train the tokenizer of the pair ``stories`` on synthetic problems."""
    return train_tokenizer(islice(problems(seed, "train"), n_problems), VOCABULARY)


def train_tokenizer(solved: Iterable[Solved], vocabulary: int, number: str = r"\d") -> Tokenizer:
    """Train a tokenizer with ``vocabulary`` tokens on problems and their solutions.

    ``number`` is the regular expression of digits that no token goes beyond.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(number + r"| ?[A-Za-z]+|\s+(?=\S)|\s+|[^\sA-Za-z\d]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(ADDED),
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = ("user\n" + problem.text + "\nassistant\n" + "\n".join(problem.solution) for problem in solved)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ADDED])
    return tokenizer


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """Return the id of a token, which must exist."""
    found = tokenizer.token_to_id(text)
    if found is None:
        raise ValueError(f"The tokenizer has no token {text!r}.")
    return int(found)


def prompt(text: str) -> str:
    """Return the chat template's rendering of one user message, up to the start of the assistant's answer."""
    return f"<|im_start|>user\n{text}{END}\n<|im_start|>assistant\n"


def solution_ids(tokenizer: Tokenizer, steps: tuple[str, ...], close: str) -> list[list[int]]:
    """Return the token ids of each step with its closing token: the separator, or ``close`` for the last step."""
    ends = [token_id(tokenizer, end) for end in (*[SEPARATOR] * (len(steps) - 1), close)]
    return [[*tokenizer.encode(step).ids, end] for step, end in zip(steps, ends, strict=True)]


def example(tokenizer: Tokenizer, problem: Solved) -> tuple[list[int], int]:
    """Return the token ids of prompt and solution, and the length of the prompt."""
    prompt_ids = tokenizer.encode(prompt(problem.text)).ids
    return prompt_ids + [i for step in solution_ids(tokenizer, problem.solution, END) for i in step], len(prompt_ids)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and the other files that transformers needs."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=SPECIALS[0],
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(str(folder))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"  # the name that both transformers 4 and 5 accept
    path.write_text(json.dumps(config, indent=2) + "\n")
