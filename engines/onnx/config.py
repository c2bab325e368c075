"""The configuration of a model, read from its Hugging Face directory."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def is_embedded(directory: Path) -> bool:
    """Whether a directory holds a model for the embedded runtime."""
    return (directory / "model.onnx").is_file()


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of a Llama model.

    Attributes:
        name: name of the model as a user would write it.
        context_length: maximum number of tokens of one sequence.
    """

    name: str
    n_layers: int
    n_heads: int
    head_dim: int
    width: int
    feed_forward_width: int
    vocabulary: int
    context_length: int
    rope_theta: float
    rms_norm_eps: float
    tied: bool


def load_config(directory: Path) -> ModelConfig:
    """Read ``config.json``.

    Raises:
        ValueError: the embedded runtime does not support the architecture.
    """
    config = read_json(directory / "config.json")
    heads = config["num_attention_heads"]
    if config["model_type"] != "llama" or config.get("num_key_value_heads", heads) != heads:
        raise ValueError(f"{directory}: the embedded runtime requires a Llama model with as many key as query heads.")
    if config["hidden_act"] != "silu" or config.get("attention_bias") or config.get("mlp_bias"):
        raise ValueError(f"{directory}: the embedded runtime requires SwiGLU layers without biases.")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise ValueError(f"{directory}: the embedded runtime requires unscaled rotary embeddings, not {rope['rope_type']}.")
    return ModelConfig(
        name=config.get("_name_or_path") or directory.resolve().name,
        n_layers=config["num_hidden_layers"],
        n_heads=heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        width=config["hidden_size"],
        feed_forward_width=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        context_length=config["max_position_embeddings"],
        rope_theta=rope.get("rope_theta") or config.get("rope_theta", 10000.0),
        rms_norm_eps=config["rms_norm_eps"],
        tied=config.get("tie_word_embeddings", False),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Parse one file of a model directory.

    Raises:
        FileNotFoundError: the file is missing.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing. This is not a model directory.") from error
    return value
