"""The exported graph computes the model: compared with plain numpy, and with torch if it is installed."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.training.export import build, export
from tests.tiny_model import VOCABULARY, forward, write_model, write_safetensors

TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["generator", "reward_model"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def directory(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / kind
    write_model(path, kind)
    return path


def random_ids(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).integers(0, VOCABULARY, length).tolist())


def test_the_exported_graph_has_the_outputs_of_the_model(kind: str, directory: Path, tmp_path: Path) -> None:
    tensors = write_model(tmp_path / kind, kind)
    decoder = Decoder(directory, load_config(directory), 1, 1)
    ids = random_ids(40)
    expected = forward(tensors, ids)
    for length in (1, 2, 17, 40):
        np.testing.assert_allclose(decoder.extend(0, 0, ids[:length]), expected[length - 1], atol=TOLERANCE)


def test_the_exported_graph_has_the_outputs_of_torch(kind: str, directory: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    auto = {"generator": "AutoModelForCausalLM", "reward_model": "AutoModelForSequenceClassification"}[kind]
    model = getattr(transformers, auto).from_pretrained(directory).eval()
    ids = random_ids(40)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits.numpy().reshape(-1, VOCABULARY if kind == "generator" else 1)[-1]
    decoder = Decoder(directory, load_config(directory), 1, 1)
    np.testing.assert_allclose(decoder.extend(0, 0, ids), expected, atol=TOLERANCE)


def test_weights_are_stored_only_once(directory: Path) -> None:
    size = (directory / "model.safetensors").stat().st_size
    graph = onnx.load(directory / "model.onnx", load_external_data=False).graph
    inside = [tensor for tensor in graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    assert sum(np.prod(tensor.dims) for tensor in inside) < 1000
    for tensor in graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place:
            assert place["location"] == "model.safetensors"
            assert int(place["offset"]) + int(place["length"]) <= size


def test_the_graph_declares_its_inputs(directory: Path) -> None:
    session = ort.InferenceSession(directory / "model.onnx", providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    caches = [f"past_{kind}.{layer}" for layer in range(2) for kind in "kv"]
    assert names == ["input_ids", "seqlens", "total", "logits_at", *caches]


def test_weights_in_16_bits_compute_in_32(kind: str, tmp_path: Path) -> None:
    tensors = write_model(tmp_path / kind, kind)
    halves = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    write_safetensors(tmp_path / kind / "model.safetensors", halves, "F16")
    export(tmp_path / kind)
    decoder = Decoder(tmp_path / kind, load_config(tmp_path / kind), 1, 1)
    ids = random_ids(40)
    expected = forward({name: tensor.astype(np.float32) for name, tensor in halves.items()}, ids)
    np.testing.assert_allclose(decoder.extend(0, 0, ids), expected[-1], atol=TOLERANCE)


def test_other_precisions_are_rejected(tmp_path: Path) -> None:
    tensors = write_model(tmp_path / "wide", "generator")
    wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    write_safetensors(tmp_path / "wide" / "model.safetensors", wide, "F64")
    with pytest.raises(ValueError, match="F64"):
        build(tmp_path / "wide")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "qwen2"}, "Llama"),
        ({"num_key_value_heads": 1}, "key as query heads"),
        ({"attention_bias": True}, "biases"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "llama3"),
    ],
)
def test_other_architectures_are_rejected(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write_model(tmp_path / "model", "generator")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        load_config(tmp_path / "model")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        load_config(tmp_path)
    write_model(tmp_path / "model", "generator")
    (tmp_path / "model" / "model.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"epf\.training\.export"):
        Decoder(tmp_path / "model", load_config(tmp_path / "model"), 1, 1)
