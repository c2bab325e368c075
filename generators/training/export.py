"""Write ``model.onnx`` beside the weights of a Llama directory: the graph alone, its weights stay in ``model.safetensors``.

A safetensors file is eight bytes of header length, a JSON header and the raw tensors; ONNX external data are a file, an offset
and a length. So every initializer points into the safetensors file and the weights exist once.

The graph is one forward pass over new tokens that attend to a cache and to each other:

    inputs   input_ids (b, t), positions (b, t), mask (b, 1, t, s + t) added to the attention scores, logits_at (m,) flat indices
             into (b, t), and per layer past_k.i, past_v.i (b, h, s, d), rotated already
    outputs  logits (m, vocabulary) or (m, 1), and per layer new_k.i, new_v.i (b, h, t, d)

The cache is only read, never copied or concatenated: scores against it and against the new tokens are computed apart and joined
before the softmax. Linear weights lie as (out, in), so that Gemm takes them with ``transB``; those that read the same input
are joined by Concat, which ONNX Runtime folds when it loads.

    python -m generators.training.export DIRECTORY
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from embedded.config import ModelConfig, load_config

WEIGHTS = "model.safetensors"
MICROSOFT = "com.microsoft"


@dataclass
class Graph:
    """Nodes and initializers under construction; :meth:`op` appends a node and returns the name of its output."""

    weights: dict[str, onnx.TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    used: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: object) -> str:
        """Append a node with one output."""
        output = name or f"{kind}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def split(self, data: str, axis: int, *sizes: int) -> list[str]:
        """Cut ``data`` into pieces of the given sizes along ``axis``."""
        outputs = [f"Split.{len(self.nodes)}.{i}" for i in range(len(sizes))]
        self.nodes.append(helper.make_node("Split", [data, self.ints(*sizes)], outputs, name=outputs[0], axis=axis))
        return outputs

    def weight(self, name: str) -> str:
        """Use a tensor of the safetensors file."""
        self.used[name] = self.weights[name]
        return name

    def ints(self, *values: int) -> str:
        """Use a small int64 vector."""
        return self.constant("ints." + "_".join(map(str, values)), np.array(values, np.int64))

    def constant(self, name: str, values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
        """Use a small tensor that is stored in the graph itself."""
        self.used[name] = numpy_helper.from_array(values, name)
        return name


def external_weights(path: Path) -> dict[str, onnx.TensorProto]:
    """Initializers without data, each pointing at its tensor in the safetensors file ``path``; ValueError unless float32."""
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_size))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{path}: {name} is {entry['dtype']}, the embedded runtime reads F32 only")
        begin, end = entry["data_offsets"]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry["shape"], data_location=TensorProto.EXTERNAL)
        place = {"location": path.name, "offset": str(8 + header_size + begin), "length": str(end - begin)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        tensors[name] = tensor
    return tensors


def rms_norm(g: Graph, hidden: str, weight: str, eps: float) -> str:
    """x / sqrt(mean(x^2) + eps) * weight, in basic operators that ONNX Runtime fuses."""
    square = g.op("Mul", hidden, hidden)
    mean = g.op("ReduceMean", square, g.ints(-1), keepdims=1)
    root = g.op("Sqrt", g.op("Add", mean, g.constant("eps", np.array(eps, np.float32))))
    return g.op("Mul", g.op("Div", hidden, root), g.weight(weight))


def linear(g: Graph, hidden: str, *weights: str) -> str:
    """``hidden`` (n, in) times the transposed weights (out, in), several side by side."""
    names = [g.weight(name) for name in weights]
    matrix = names[0] if len(names) == 1 else g.op("Concat", *names, axis=0)
    return g.op("Gemm", hidden, matrix, transB=1)


def rotary_tables(g: Graph, config: ModelConfig) -> tuple[str, str]:
    """Cosines and sines (context, d / 2) of rotary position embedding, computed when the model loads."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    frequencies = (1.0 / np.float32(config.rope_theta) ** exponents).astype(np.float32)
    positions = np.arange(config.context_length, dtype=np.float32)[:, None]
    angles = g.op("Mul", g.constant("positions.all", positions), g.constant("rotary.frequencies", frequencies[None]))
    return g.op("Cos", angles), g.op("Sin", angles)


def attention(g: Graph, config: ModelConfig, layer: int, hidden: str, tables: tuple[str, str]) -> str:
    """Self-attention of new tokens over cache and new tokens; ``hidden`` and result (n, width)."""
    heads, size = config.n_heads, config.head_dim
    prefix = f"model.layers.{layer}.self_attn."
    packed = linear(g, hidden, prefix + "q_proj.weight", prefix + "k_proj.weight", prefix + "v_proj.weight")
    packed = g.op("Reshape", packed, "shape.heads")
    packed = g.op("Transpose", packed, perm=[0, 2, 1, 3])
    rotating, value = g.split(packed, 1, 2 * heads, heads)
    rotated = g.op("RotaryEmbedding", rotating, "positions", *tables, domain=MICROSOFT)
    query, key = g.split(rotated, 1, heads, heads)
    g.op("Identity", key, name=f"new_k.{layer}")
    g.op("Identity", value, name=f"new_v.{layer}")
    query = g.op("Mul", query, g.constant("scale", np.array(size**-0.5, np.float32)))
    scores_past = g.op("MatMul", query, g.op("Transpose", f"past_k.{layer}", perm=[0, 1, 3, 2]))
    scores_new = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))
    scores = g.op("Concat", scores_past, scores_new, axis=-1)
    weights = g.op("Softmax", g.op("Add", scores, "mask"), axis=-1)
    split = f"attention.{layer}"
    g.nodes.append(helper.make_node("Split", [weights, "lengths"], [split + ".past", split + ".new"], name=split, axis=3))
    from_past = g.op("MatMul", split + ".past", f"past_v.{layer}")
    from_new = g.op("MatMul", split + ".new", value)
    mixed = g.op("Transpose", g.op("Add", from_past, from_new), perm=[0, 2, 1, 3])
    return linear(g, g.op("Reshape", mixed, g.ints(-1, heads * size)), prefix + "o_proj.weight")


def feed_forward(g: Graph, config: ModelConfig, layer: int, hidden: str) -> str:
    """SwiGLU: down(silu(gate(x)) * up(x))."""
    prefix = f"model.layers.{layer}.mlp."
    both = linear(g, hidden, prefix + "gate_proj.weight", prefix + "up_proj.weight")
    gate, up = g.split(both, 1, config.feed_forward_width, config.feed_forward_width)
    return linear(g, g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), up), prefix + "down_proj.weight")


def build(directory: Path) -> onnx.ModelProto:
    """The graph of the model in ``directory``: a language model or, with a ``score`` weight, a reward model."""
    config = load_config(directory)
    g = Graph(external_weights(directory / WEIGHTS))
    sizes = g.op("Shape", "input_ids")
    g.op("Concat", sizes, g.ints(3 * config.n_heads, config.head_dim), name="shape.heads", axis=0)
    g.op("Concat", g.op("Shape", "past_k.0", start=2, end=3), g.op("Shape", "input_ids", start=1), name="lengths", axis=0)
    tables = rotary_tables(g, config)

    ids = g.op("Reshape", "input_ids", g.ints(-1))
    hidden = g.op("Gather", g.weight("model.embed_tokens.weight"), ids)
    for layer in range(config.n_layers):
        prefix = f"model.layers.{layer}."
        normed = rms_norm(g, hidden, prefix + "input_layernorm.weight", config.rms_norm_eps)
        hidden = g.op("Add", hidden, attention(g, config, layer, normed, tables))
        normed = rms_norm(g, hidden, prefix + "post_attention_layernorm.weight", config.rms_norm_eps)
        hidden = g.op("Add", hidden, feed_forward(g, config, layer, normed))
    normed = rms_norm(g, g.op("Gather", hidden, "logits_at"), "model.norm.weight", config.rms_norm_eps)
    head = "score.weight" if "score.weight" in g.weights else "model.embed_tokens.weight" if config.tied else "lm_head.weight"
    g.op("Gemm", normed, g.weight(head), name="logits", transB=1)

    caches = [f"{kind}.{layer}" for layer in range(config.n_layers) for kind in ("{}_k", "{}_v")]
    past = ["b", config.n_heads, "s", config.head_dim]
    new = ["b", config.n_heads, "t", config.head_dim]
    describe = helper.make_tensor_value_info
    inputs = [
        describe("input_ids", TensorProto.INT64, ["b", "t"]),
        describe("positions", TensorProto.INT64, ["b", "t"]),
        describe("mask", TensorProto.FLOAT, ["b", 1, "t", "s+t"]),
        describe("logits_at", TensorProto.INT64, ["m"]),
        *(describe(name.format("past"), TensorProto.FLOAT, past) for name in caches),
    ]
    outputs = [
        describe("logits", TensorProto.FLOAT, ["m", g.weights[head].dims[0]]),
        *(describe(name.format("new"), TensorProto.FLOAT, new) for name in caches),
    ]
    graph = helper.make_graph(g.nodes, "llama", inputs, outputs, list(g.used.values()))
    return helper.make_model(
        graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
    )


def export(directory: Path) -> Path:
    """Write and check ``directory/model.onnx``; returns its path."""
    path = directory / "model.onnx"
    path.write_bytes(build(directory).SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))
    return path


def main() -> None:
    """Export the directory named on the command line."""
    parser = argparse.ArgumentParser(description="Write model.onnx beside the model.safetensors of a Llama directory.")
    parser.add_argument("directory", type=Path)
    print(export(parser.parse_args().directory))


if __name__ == "__main__":
    main()
