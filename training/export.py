"""Write ``model.onnx`` into a Llama directory: only the graph, since the weights stay in ``model.safetensors``.

ONNX external data are a file, an offset and a length, and a safetensors file holds raw tensors. Every initializer therefore
points into the safetensors file, and the weights exist only once.

The graph is one forward pass over new tokens that attend to a key-value cache and to each other:

    inputs   input_ids (b, t), seqlens (b,) length of each row after this pass minus one, total () the largest such
             length, logits_at (m,) flat indices into (b, t), and per layer past_k.i, past_v.i (b, h, c, d), keys rotated
    outputs  logits (m, vocabulary) or (m, 1), and per layer new_k.i, new_v.i (b, h, c, d)

Bound to the same memory, new_k.i is past_k.i with the new tokens written in place: nothing is copied, and rows of different
length need no padding. ONNX Runtime's GroupQueryAttention requires b = 1 or t = 1 unless the cache is empty.

Linear weights are stored as (out, in), which Gemm reads with ``transB``; weights that read the same input are joined by Concat,
which ONNX Runtime folds when it loads the model. In the same way it folds the Cast of weights that are stored in 16 bits, and
the Cast and Mul of those in 8 bits, which have a scale for each row: they are smaller on disk and compute in 32 bits.

    python -m epf.training.export DIRECTORY
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from epf.engines.onnx.config import ModelConfig, load_config
from epf.training.tensor_file import read_header

WEIGHTS = "model.safetensors"
SCALE = "_scale"
"""What the name of a matrix in 8 bits is followed by in that of its scales, ``(out, 1)``."""
MICROSOFT = "com.microsoft"
_TYPES = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16, "I8": TensorProto.INT8}


@dataclass
class Graph:
    """Nodes and initializers under construction; :meth:`op` appends a node and returns the name of its output."""

    weights: dict[str, onnx.TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    used: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
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
        """Use a tensor from the safetensors file, in 32 bits."""
        known, scale, wide = name in self.used, name + SCALE, name + ".float32"
        self.used[name] = self.weights[name]
        if self.weights[name].data_type == TensorProto.FLOAT:
            return name
        if known:
            return wide
        if scale not in self.weights:
            return self.op("Cast", name, name=wide, to=TensorProto.FLOAT)
        self.used[scale] = self.weights[scale]
        return self.op("Mul", self.op("Cast", name, to=TensorProto.FLOAT), scale, name=wide)

    def ints(self, *values: int) -> str:
        """Use a small int64 vector."""
        return self.constant("ints." + "_".join(map(str, values)), np.array(values, np.int64))

    def constant(self, name: str, values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
        """Use a small tensor that is stored in the graph itself."""
        self.used[name] = numpy_helper.from_array(values, name)
        return name


def external_weights(path: Path) -> dict[str, onnx.TensorProto]:
    """Return initializers without data, each of which points to its tensor in the safetensors file ``path``.

    Raises:
        ValueError: a tensor is not one of ``F32``, ``F16`` and ``I8``.
    """
    header, start = read_header(path)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensor = TensorProto(
            name=name, data_type=_TYPES[entry["dtype"]], dims=entry["shape"], data_location=TensorProto.EXTERNAL
        )
        place = {"location": path.name, "offset": str(start + begin), "length": str(end - begin)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        tensors[name] = tensor
    return tensors


def rms_norm(g: Graph, hidden: str, weight: str, eps: float) -> str:
    """Divide by sqrt(mean(x^2) + eps) and multiply by the weight, in basic operators that ONNX Runtime fuses."""
    square = g.op("Pow", hidden, g.constant("two", np.array(2, np.float32)))
    mean = g.op("ReduceMean", square, g.ints(-1), keepdims=1)
    root = g.op("Sqrt", g.op("Add", mean, g.constant("eps", np.array(eps, np.float32))))
    return g.op("Mul", g.op("Div", hidden, root), g.weight(weight))


def add_and_norm(g: Graph, hidden: str, update: str, weight: str, eps: float) -> tuple[str, str]:
    """Return the residual stream after ``update``, once normalised for the next part of the layer and once unchanged."""
    normed, total = f"normed.{len(g.nodes)}", f"hidden.{len(g.nodes)}"
    inputs, outputs = [hidden, update, g.weight(weight)], [normed, "", "", total]
    kind = "SkipSimplifiedLayerNormalization"
    g.nodes.append(helper.make_node(kind, inputs, outputs, name=normed, domain=MICROSOFT, epsilon=eps))
    return normed, total


def linear(g: Graph, hidden: str, *weights: str) -> str:
    """Multiply ``hidden`` (n, in) by the transposed weights (out, in), with the outputs of several weights concatenated."""
    names = [g.weight(name) for name in weights]
    matrix = names[0] if len(names) == 1 else g.op("Concat", *names, axis=0)
    return g.op("Gemm", hidden, matrix, transB=1)


def rotary_tables(g: Graph, config: ModelConfig) -> tuple[str, str]:
    """Return the cosines and sines (context, d / 2) of rotary position embedding, computed when the model loads."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    frequencies = (1.0 / np.float32(config.rope_theta) ** exponents).astype(np.float32)
    positions = np.arange(config.context_length, dtype=np.float32)[:, None]
    angles = g.op("Mul", g.constant("positions.all", positions), g.constant("rotary.frequencies", frequencies[None]))
    return g.op("Cos", angles), g.op("Sin", angles)


def attention(g: Graph, config: ModelConfig, layer: int, hidden: str, tables: tuple[str, str]) -> str:
    """Causal self-attention of the new tokens over the cache and themselves; ``hidden`` and the result are (b t, width)."""
    prefix = f"model.layers.{layer}.self_attn."
    packed = linear(g, hidden, prefix + "q_proj.weight", prefix + "k_proj.weight", prefix + "v_proj.weight")
    packed = g.op("Reshape", packed, "shape.packed")
    cache = [f"past_k.{layer}", f"past_v.{layer}"]
    mixed = f"attention.{layer}"
    g.nodes.append(
        helper.make_node(
            "GroupQueryAttention",
            [packed, "", "", *cache, "seqlens", "total", *tables],
            [mixed, f"new_k.{layer}", f"new_v.{layer}"],
            name=mixed,
            domain=MICROSOFT,
            num_heads=config.n_heads,
            kv_num_heads=config.n_heads,
            do_rotary=1,
        )
    )
    flat = g.op("Reshape", mixed, g.ints(-1, config.n_heads * config.head_dim))
    return linear(g, flat, prefix + "o_proj.weight")


def feed_forward(g: Graph, config: ModelConfig, layer: int, hidden: str) -> str:
    """SwiGLU: down(silu(gate(x)) * up(x))."""
    prefix = f"model.layers.{layer}.mlp."
    both = linear(g, hidden, prefix + "gate_proj.weight", prefix + "up_proj.weight")
    gate, up = g.split(both, 1, config.feed_forward_width, config.feed_forward_width)
    return linear(g, g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), up), prefix + "down_proj.weight")


def build(directory: Path) -> onnx.ModelProto:
    """Return the graph of the model in ``directory``: a reward model if it has a ``score`` weight, else a language model."""
    config = load_config(directory)
    eps = config.rms_norm_eps
    g = Graph(external_weights(directory / WEIGHTS))
    g.op("Concat", g.op("Shape", "input_ids"), g.ints(3 * config.n_heads * config.head_dim), name="shape.packed", axis=0)
    tables = rotary_tables(g, config)

    hidden = g.op("Gather", g.weight("model.embed_tokens.weight"), g.op("Reshape", "input_ids", g.ints(-1)))
    normed = rms_norm(g, hidden, "model.layers.0.input_layernorm.weight", eps)
    for layer in range(config.n_layers):
        last = layer == config.n_layers - 1
        next_norm = "model.norm.weight" if last else f"model.layers.{layer + 1}.input_layernorm.weight"
        update = attention(g, config, layer, normed, tables)
        normed, hidden = add_and_norm(g, hidden, update, f"model.layers.{layer}.post_attention_layernorm.weight", eps)
        normed, hidden = add_and_norm(g, hidden, feed_forward(g, config, layer, normed), next_norm, eps)
    head = "score.weight" if "score.weight" in g.weights else "model.embed_tokens.weight" if config.tied else "lm_head.weight"
    g.op("Gemm", g.op("Gather", normed, "logits_at"), g.weight(head), name="logits", transB=1)

    describe, real, integer = helper.make_tensor_value_info, TensorProto.FLOAT, TensorProto.INT64
    shape: list[str | int | None] = ["b", config.n_heads, "c", config.head_dim]
    caches = [f"{kind}.{layer}" for layer in range(config.n_layers) for kind in ("{}_k", "{}_v")]
    inputs = [
        describe("input_ids", integer, ["b", "t"]),
        describe("seqlens", TensorProto.INT32, ["b"]),
        describe("total", TensorProto.INT32, []),
        describe("logits_at", integer, ["m"]),
        *(describe(name.format("past"), real, shape) for name in caches),
    ]
    outputs = [
        describe("logits", real, ["m", g.weights[head].dims[0]]),
        *(describe(name.format("new"), real, shape) for name in caches),
    ]
    graph = helper.make_graph(g.nodes, "llama", inputs, outputs, list(g.used.values()))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, ir_version=9, opset_imports=opsets)


def export(directory: Path) -> Path:
    """Write and check ``directory/model.onnx``; returns its path."""
    path = directory / "model.onnx"
    path.write_bytes(build(directory).SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))
    return path


def main() -> None:
    """Export the directory named on the command line."""
    parser = argparse.ArgumentParser(description="Write model.onnx into a Llama directory with a model.safetensors.")
    parser.add_argument("directory", type=Path)
    print(export(parser.parse_args().directory))


if __name__ == "__main__":
    main()
