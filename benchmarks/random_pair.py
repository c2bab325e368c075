"""A generator and a reward model of about 100 million random weights each: arithmetic decides, not an engine's overhead.

The tokenizer is the embedded pair's. Weights are random but for two dimensions of the residual stream, which no layer writes
to: they make the generator write whole words that are tokens by themselves, so that its text has one tokenisation, and end a
step after each token with probability one in twelve, never before the first word. It does not end by itself.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from epf.engines.onnx.config import SHIPPED, read_json
from epf.engines.tokenizer import ChatTokenizer

HIDDEN, LAYERS, HEADS, INTERMEDIATE = 768, 14, 12, 2048
CONTEXT = 1024
MARK = 5.0
"""Value of the two dimensions in the residual stream."""
MEAN_STEP = 12
"""Tokens of a step on average, its separator included."""
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

Tensors = dict[str, NDArray[np.float32]]


def write(directory: Path) -> tuple[Path, Path]:
    """Write both models; their directories. The same weights every time."""
    rng = np.random.default_rng(0)
    generator, reward_model = directory / "generator", directory / "reward_model"
    tensors, marks = backbone(rng, SHIPPED / "generator")
    _save(generator, SHIPPED / "generator", tensors | {"lm_head.weight": head(rng, marks)}, "LlamaForCausalLM")
    tensors, _ = backbone(rng, SHIPPED / "reward_model")
    score = rng.normal(0, HIDDEN**-0.5, (1, HIDDEN)).astype(np.float32)
    _save(reward_model, SHIPPED / "reward_model", tensors | {"score.weight": score}, "LlamaForSequenceClassification")
    return generator, reward_model


def backbone(rng: np.random.Generator, tokenizer: Path) -> tuple[Tensors, NDArray[np.int8]]:
    """Weights up to the last norm, and what each token is: 1 a word, 0 the separator, -1 anything else; ``(vocabulary,)``."""
    marks = marked(tokenizer)
    embedding = rng.normal(0, 1, (marks.size, HIDDEN))
    embedding[:, 0] = MARK
    embedding[:, 1] = np.where(marks == 1, 0, -MARK)
    tensors = {"model.embed_tokens.weight": embedding, "model.norm.weight": np.ones(HIDDEN)}
    for i in range(LAYERS):
        layer = {f"self_attn.{name}_proj": rng.normal(0, HIDDEN**-0.5, (HIDDEN, HIDDEN)) for name in "qkv"}
        layer |= {f"mlp.{name}_proj": rng.normal(0, HIDDEN**-0.5, (INTERMEDIATE, HIDDEN)) for name in ("gate", "up")}
        # Small, so that the two dimensions keep their share after the norm.
        layer |= {"self_attn.o_proj": rng.normal(0, 0.002, (HIDDEN, HIDDEN))}
        layer |= {"mlp.down_proj": rng.normal(0, 0.002, (HIDDEN, INTERMEDIATE))}
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            layer[name][:2] = 0
        layer |= {name: np.ones(HIDDEN) for name in ("input_layernorm", "post_attention_layernorm")}
        tensors |= {f"model.layers.{i}.{name}.weight": tensor for name, tensor in layer.items()}
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, marks


def marked(tokenizer: Path) -> NDArray[np.int8]:
    """What each token is, ``(vocabulary,)``."""
    chat = ChatTokenizer(tokenizer)
    (separator,) = chat.encode("\n\n")
    marks = np.full(read_json(tokenizer / "config.json")["vocab_size"], -1, np.int8)
    for token in range(chat.size):
        text = chat.token_bytes(token).decode(errors="replace")
        if text.startswith(" ") and text[1:].isascii() and text[1:].isalpha() and chat.encode(text) == (token,):
            marks[token] = 1
    marks[separator] = 0
    return marks


def head(rng: np.random.Generator, marks: NDArray[np.int8]) -> NDArray[np.float32]:
    """Output matrix: words alike but for noise, the separator as often as ``MEAN_STEP`` says and never twice in a row."""
    weights = rng.normal(0, 0.5 * HIDDEN**-0.5, (marks.size, HIDDEN))
    share = MARK / np.sqrt((MARK**2 + HIDDEN) / HIDDEN)
    words = np.count_nonzero(marks == 1)
    weights[:, 0] = np.where(marks == -1, -20 / share, 20 / share)
    weights[marks == 0, 0] += np.log(words / (MEAN_STEP - 1)) / share
    weights[:, 1] = np.where(marks == 0, 20 / share, 0)
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
