"""Random Llama models that are small enough to check by hand: their directories, and the forward pass in plain numpy."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE

from epf.training.export import export

Floats = NDArray[np.float32]

WIDTH, HEADS, LAYERS, FEED_FORWARD, CONTEXT = 32, 2, 2, 48, 128
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
EOS_ID = 2
SEPARATOR_ID = 3
TEXT_IDS = 99
"""Ids below this have a meaning; the model has a few more, like padded vocabularies."""
VOCABULARY = 104
EPS, THETA = 1e-5, 10_000.0
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def random_tensors(kind: str, seed: int) -> dict[str, Floats]:
    """Weights of a ``generator`` or ``reward_model``, by their Hugging Face names."""
    rng = np.random.default_rng(seed)

    def matrix(out: int, into: int) -> Floats:
        return (rng.standard_normal((out, into)) * 0.25).astype(np.float32)

    def scale() -> Floats:
        return rng.uniform(0.5, 1.5, WIDTH).astype(np.float32)

    tensors = {"model.embed_tokens.weight": matrix(VOCABULARY, WIDTH), "model.norm.weight": scale()}
    # Make two kinds of ids likely: the ends that tests wait for, and those that must never be drawn.
    likely = [EOS_ID, SEPARATOR_ID, 0, 1, *range(TEXT_IDS, VOCABULARY)]
    tensors["model.embed_tokens.weight"][likely] *= 2
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name in ("q", "k", "v", "o"):
            tensors[f"{prefix}self_attn.{name}_proj.weight"] = matrix(WIDTH, WIDTH)
        tensors[f"{prefix}mlp.gate_proj.weight"] = matrix(FEED_FORWARD, WIDTH)
        tensors[f"{prefix}mlp.up_proj.weight"] = matrix(FEED_FORWARD, WIDTH)
        tensors[f"{prefix}mlp.down_proj.weight"] = matrix(WIDTH, FEED_FORWARD)
        tensors[f"{prefix}input_layernorm.weight"] = scale()
        tensors[f"{prefix}post_attention_layernorm.weight"] = scale()
    if kind == "reward_model":
        tensors["score.weight"] = matrix(1, WIDTH)
    return tensors


def forward(tensors: dict[str, Floats], ids: tuple[int, ...]) -> NDArray[np.float64]:
    """Outputs at every position, ``(len(ids), vocabulary)`` or ``(len(ids), 1)``, by the Llama paper's formulas in float64."""
    weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    size = WIDTH // HEADS
    angles = np.arange(len(ids))[:, None] / THETA ** (np.arange(0, size, 2) / size)
    cos, sin = (np.tile(f(angles), 2) for f in (np.cos, np.sin))
    causal = np.where(np.tri(len(ids)), 0.0, -np.inf)

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        normed: NDArray[np.float64] = x / np.sqrt((x**2).mean(-1, keepdims=True) + EPS) * weights[name]
        return normed

    def rotate(x: NDArray[np.float64]) -> NDArray[np.float64]:
        rotated: NDArray[np.float64] = x * cos + np.concatenate([-x[..., size // 2 :], x[..., : size // 2]], axis=-1) * sin
        return rotated

    hidden = weights["model.embed_tokens.weight"][list(ids)]
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        x = norm(hidden, prefix + "input_layernorm.weight")
        heads = [x @ weights[f"{prefix}self_attn.{name}_proj.weight"].T for name in "qkv"]
        q, k, v = (part.reshape(len(ids), HEADS, size).swapaxes(0, 1) for part in heads)
        scores = rotate(q) @ rotate(k).swapaxes(1, 2) / np.sqrt(size) + causal
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (attention / attention.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), WIDTH)
        hidden = hidden + mixed @ weights[prefix + "self_attn.o_proj.weight"].T
        x = norm(hidden, prefix + "post_attention_layernorm.weight")
        gate, up = (x @ weights[f"{prefix}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        hidden = hidden + (gate / (1 + np.exp(-gate)) * up) @ weights[prefix + "mlp.down_proj.weight"].T
    head = weights.get("score.weight", weights["model.embed_tokens.weight"])
    return norm(hidden, "model.norm.weight") @ head.T


def write_model(directory: Path, kind: str, seed: int = 0) -> dict[str, Floats]:
    """Write a model directory like transformers, with ``model.onnx``, and return the weights."""
    directory.mkdir(parents=True)
    tensors = random_tensors(kind, seed)
    write_safetensors(directory / "model.safetensors", tensors)
    write_tokenizer(directory)
    config = {
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPS,
        "rope_parameters": {"rope_theta": THETA, "rope_type": "default"},
        "tie_word_embeddings": kind == "generator",
        "vocab_size": VOCABULARY,
        "pad_token_id": 0,
    }
    if kind == "reward_model":
        config |= {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": EOS_ID}))
    export(directory)
    return tensors


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[np.generic]], dtype: str = "F32") -> None:
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for tensor in tensors.values()))


def write_tokenizer(directory: Path) -> None:
    """One token for each printable ASCII character and one for a blank line."""
    vocabulary = {token: i for i, token in enumerate([*SPECIALS, "\n\n", "\n", *map(chr, range(32, 126))])}
    assert len(vocabulary) == TEXT_IDS
    tokenizer = Tokenizer(BPE(vocabulary, [("\n", "\n")]))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
