"""Models with their matrices in 8 bits compute what the numbers and scales say, and become 16 bits again for other engines."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.pairs import STORIES, Role
from epf.training.quantize import HEAD, quantize, quantize_directory, quantized
from epf.training.restore import restore, restore_directory
from epf.training.tensor_file import Tensors, read_tensors, write_tensors
from tests.tiny_model import VOCABULARY, forward, write_model

GOLDEN = Path(__file__).parents[1] / "data" / "golden_logits.npz"
ROLES: tuple[Role, ...] = ("generator", "reward_model")
IDS = tuple(np.random.default_rng(0).integers(0, VOCABULARY, 40).tolist())


@pytest.fixture(params=ROLES)
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A random model in 8 bits."""
    directory = tmp_path / str(request.param)
    write_model(directory, str(request.param))
    quantize_directory(directory)
    return directory


def last_outputs(directory: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return Decoder(directory, load_config(directory), 1, 1).extend(0, 0, IDS)


def test_a_number_is_off_by_half_a_scale_at_most() -> None:
    matrix = np.random.default_rng(0).normal(size=(20, 64)) * np.logspace(-6, 3, 20)[:, None]
    matrix[7] = 0
    numbers, scale = quantized(matrix)
    assert numbers.dtype == np.int8
    assert scale.dtype == np.float32
    assert scale.shape == (20, 1)
    assert (np.abs(matrix - numbers * scale.astype(np.float64)) <= 0.5001 * scale).all()
    assert np.abs(numbers).max(axis=1).tolist() == [0 if i == 7 else 127 for i in range(20)]


def test_the_runtime_multiplies_the_numbers_by_their_scales(tiny: Path) -> None:
    tensors = read_tensors(tiny / "model.safetensors")
    one = np.ones(1, np.float32)
    wide = {
        name: tensor.astype(np.float32) * tensors.get(f"{name}_scale", one).astype(np.float32)
        for name, tensor in tensors.items()
    }
    np.testing.assert_allclose(last_outputs(tiny), forward(wide, IDS)[-1], atol=1e-4)


def test_matrices_have_8_bits_and_what_is_small_stays(tiny: Path, tmp_path: Path) -> None:
    whole, tensors = write_model(tmp_path / "whole", tiny.name), read_tensors(tiny / "model.safetensors")
    for name, tensor in whole.items():
        if tensor.ndim == 1 or name == HEAD:
            np.testing.assert_array_equal(tensors[name], tensor)
        else:
            assert tensors[name].dtype == np.int8
    again = quantize(tensors)
    assert all(again[name] is tensor for name, tensor in tensors.items())


def test_the_restored_model_computes_the_same(tiny: Path, tmp_path: Path) -> None:
    restore_directory(tiny, tmp_path / "restored")
    assert {tensor.dtype for tensor in read_tensors(tmp_path / "restored" / "model.safetensors").values()} == {np.dtype("f2")}
    np.testing.assert_allclose(last_outputs(tmp_path / "restored"), last_outputs(tiny), atol=0.02)


def test_transformers_loads_the_restored_model(tiny: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    restore_directory(tiny, tmp_path / "restored")
    auto = {"generator": "AutoModelForCausalLM", "reward_model": "AutoModelForSequenceClassification"}[tiny.name]
    model = getattr(transformers, auto).from_pretrained(tmp_path / "restored", dtype=torch.float32).eval()
    with torch.no_grad():
        expected = model(torch.tensor([IDS])).logits.numpy().reshape(-1, VOCABULARY if tiny.name == "generator" else 1)[-1]
    np.testing.assert_allclose(last_outputs(tmp_path / "restored"), expected, atol=1e-4)


@pytest.mark.parametrize("role", ROLES)
def test_a_trained_model_decides_the_same_in_8_bits(role: Role, tmp_path: Path) -> None:
    """The most likely token at the recorded places, and the score."""
    directory = tmp_path / role
    shutil.copytree(STORIES.directory / role, directory)
    quantize_directory(directory)
    with np.load(GOLDEN) as golden:
        ids, lengths, outputs = (golden[f"stories_{role}_{key}"] for key in ("ids", "lengths", "outputs"))
    decoder = Decoder(directory, load_config(directory), 1, 1)
    computed = np.array([decoder.extend(0, 0, tuple(ids[:length].tolist())).copy() for length in lengths])
    if role == "generator":
        assert computed.argmax(axis=1).tolist() == outputs.argmax(axis=1).tolist()
    else:
        np.testing.assert_allclose(1 / (1 + np.exp(-computed)), 1 / (1 + np.exp(-outputs)), atol=0.03)
    assert (directory / "model.safetensors").stat().st_size < 0.27 * (
        STORIES.directory / role / "model.safetensors"
    ).stat().st_size


def test_a_file_of_tensors_is_read_as_it_was_written(tmp_path: Path) -> None:
    tensors: Tensors = {"b": np.arange(3, dtype=np.int8), "a": np.ones((2, 2), np.float32), "c": np.zeros((1, 0), np.float16)}
    write_tensors(tmp_path / "file", tensors)
    found = read_tensors(tmp_path / "file")
    assert list(found) == ["a", "c", "b"], "the widest first, so that each is aligned"
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
    assert restore(found)["b"].dtype == np.float16
