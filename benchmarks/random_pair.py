"""A generator and a reward model with about 100 million random weights each, so that arithmetic dominates engine overhead.

The tokenizer is the embedded pair's. All weights are random except in two dimensions of the residual stream, to which no layer
writes. These make the generator write whole words that are single tokens, so that its text has a unique tokenisation, and end a
step after each token with probability 1/12, but never before the first word. The generator never ends a solution.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from epf.engines.onnx.config import read_json
from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer

HIDDEN, LAYERS, HEADS, INTERMEDIATE = 768, 14, 12, 2048
CONTEXT = 1024
MARK = 5.0
"""The value of the two dimensions in the residual stream."""
MEAN_STEP = 12
"""The mean number of tokens in a step, including its separator."""
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

Tensors = dict[str, NDArray[np.float32]]


def write(directory: Path) -> tuple[Path, Path]:
    """Write both models, with the same weights every time; returns their directories."""
    rng = np.random.default_rng(0)
    generator, reward_model = directory / "generator", directory / "reward_model"
    tensors, kinds = backbone(rng, STORIES.generator)
    _save(generator, STORIES.generator, tensors | {"lm_head.weight": head(rng, kinds)}, "LlamaForCausalLM")
    tensors, _ = backbone(rng, STORIES.reward_model)
    score = rng.normal(0, HIDDEN**-0.5, (1, HIDDEN)).astype(np.float32)
    _save(reward_model, STORIES.reward_model, tensors | {"score.weight": score}, "LlamaForSequenceClassification")
    return generator, reward_model


def backbone(rng: np.random.Generator, tokenizer: Path) -> tuple[Tensors, NDArray[np.int8]]:
    """Return the weights up to the last norm, and the kind of each token, ``(vocabulary,)``, as in :func:`token_kinds`."""
    kinds = token_kinds(tokenizer)
    embedding = rng.normal(0, 1, (kinds.size, HIDDEN))
    embedding[:, 0] = MARK
    embedding[:, 1] = np.where(kinds == 1, 0, -MARK)
    tensors = {"model.embed_tokens.weight": embedding, "model.norm.weight": np.ones(HIDDEN)}
    for i in range(LAYERS):
        layer = {f"self_attn.{name}_proj": rng.normal(0, HIDDEN**-0.5, (HIDDEN, HIDDEN)) for name in "qkv"}
        layer |= {f"mlp.{name}_proj": rng.normal(0, HIDDEN**-0.5, (INTERMEDIATE, HIDDEN)) for name in ("gate", "up")}
        # Small weights, so that the two dimensions keep their share after the norm.
        layer |= {"self_attn.o_proj": rng.normal(0, 0.002, (HIDDEN, HIDDEN))}
        layer |= {"mlp.down_proj": rng.normal(0, 0.002, (HIDDEN, INTERMEDIATE))}
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            layer[name][:2] = 0
        layer |= {name: np.ones(HIDDEN) for name in ("input_layernorm", "post_attention_layernorm")}
        tensors |= {f"model.layers.{i}.{name}.weight": tensor for name, tensor in layer.items()}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, kinds


def token_kinds(tokenizer: Path) -> NDArray[np.int8]:
    """Return the kind of each token, ``(vocabulary,)``: 1 a word, 0 the separator, -1 anything else."""
    chat = ChatTokenizer(tokenizer)
    (separator,) = chat.encode("\n\n")
    kinds = np.full(read_json(tokenizer / "config.json")["vocab_size"], -1, np.int8)
    for token in range(chat.size):
        text = chat.token_bytes(token).decode(errors="replace")
        if text.startswith(" ") and text[1:].isascii() and text[1:].isalpha() and chat.encode(text) == (token,):
            kinds[token] = 1
    kinds[separator] = 0
    return kinds


def head(rng: np.random.Generator, kinds: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the output matrix: words equally likely up to noise, a separator every ``MEAN_STEP`` tokens, never two at once."""
    weights = rng.normal(0, 0.5 * HIDDEN**-0.5, (kinds.size, HIDDEN))
    share = MARK / np.sqrt((MARK**2 + HIDDEN) / HIDDEN)
    words = np.count_nonzero(kinds == 1)
    weights[:, 0] = np.where(kinds == -1, -20 / share, 20 / share)
    weights[kinds == 0, 0] += np.log(words / (MEAN_STEP - 1)) / share
    weights[:, 1] = np.where(kinds == 0, 20 / share, 0)
    return weights.astype(np.float32)


def _save(directory: Path, like: Path, tensors: Tensors, architecture: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER:
        shutil.copy(like / name, directory / name)
    config: dict[str, Any] = read_json(like / "config.json")
    sizes = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS}
    sizes |= {"intermediate_size": INTERMEDIATE, "head_dim": HIDDEN // HEADS, "max_position_embeddings": CONTEXT}
    config |= sizes | {
        "architectures": [architecture],
        "tie_word_embeddings": False,
        "_name_or_path": f"random-{directory.name}",
    }
    (directory / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
