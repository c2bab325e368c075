"""Families with stand-ins for their tokenizers."""

from pathlib import Path

from epf.engines.onnx.pairs import STORIES
from epf.reward_models.families.family import Family
from epf.reward_models.families.registry import load_family
from tests.reward_models.families import stand_ins

TAGGED = [*stand_ins.TEXT, *["Step 1: a. \n\n\n\n\n Step 2: b \n\n\n\nc + d - e"] * 9]
"""What teaches a tokenizer that a space and several newlines are one token."""


def write_tokenizer(name: str, directory: Path) -> Path:
    """Write a stand-in for the tokenizer of a family's models."""
    if name == "math-shepherd":
        return stand_ins.write(directory, stand_ins.mistral(), bos_token="<s>")
    llama = name in ("rlhflow", "versaprm")
    tokenizer = stand_ins.byte_level(
        stand_ins.LLAMA_SPLIT if llama else stand_ins.QWEN_SPLIT,
        stand_ins.LLAMA_SPECIALS if llama else stand_ins.QWEN_SPECIALS,
        TAGGED,
    )
    config = {"bos_token": "<|begin_of_text|>" if llama else "<|endoftext|>", "chat_template": stand_ins.LLAMA_TEMPLATE}
    return stand_ins.write(directory, tokenizer, **config)


def opened(name: str, directory: Path) -> Family:
    """The family with its stand-in tokenizer, which is written to ``directory``."""
    return load_family(name, STORIES.reward_model if name == "embedded" else write_tokenizer(name, directory))
