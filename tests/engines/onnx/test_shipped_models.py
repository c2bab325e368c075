"""The shipped models compute what torch computes with the same weights, and have at most the promised size."""

from pathlib import Path

import numpy as np
import pytest

from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.onnx.pairs import PAIRS, Role, ShippedPair
from epf.engines.tokenizer import ChatTokenizer

GOLDEN = Path(__file__).parents[2] / "data" / "golden_logits.npz"
MODELS: tuple[Role, ...] = ("generator", "reward_model")
TOLERANCE = 1e-4


pytestmark = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)


@pytest.mark.parametrize("role", MODELS)
def test_outputs_match_the_recorded_ones_of_torch(pair: ShippedPair, role: Role) -> None:
    """training/golden.py writes the file."""
    with np.load(GOLDEN) as golden:
        ids, lengths, outputs = (golden[f"{pair.name}_{role}_{key}"] for key in ("ids", "lengths", "outputs"))
    directory = pair.directory_of(role)
    decoder = Decoder(directory, load_config(directory), 1, 1)
    done = 0
    for length, expected in zip(lengths.tolist(), outputs, strict=True):
        computed = decoder.extend(0, done, tuple(ids[done:length].tolist()))
        np.testing.assert_allclose(computed, expected, atol=TOLERANCE)
        done = length


@pytest.mark.parametrize("role", MODELS)
def test_outputs_match_torch(pair: ShippedPair, role: Role) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from epf.training.golden import golden

    directory = pair.directory_of(role)
    ids, lengths, outputs = golden(directory)
    decoder = Decoder(directory, load_config(directory), 1, 1)
    for length, expected in zip(lengths.tolist(), outputs, strict=True):
        np.testing.assert_allclose(decoder.extend(0, 0, tuple(ids[:length].tolist())), expected, atol=TOLERANCE)


def test_the_files_of_a_pair_fit_into_sixty_megabytes(pair: ShippedPair) -> None:
    assert sum(path.stat().st_size for path in pair.directory.rglob("*") if path.is_file()) < 60e6


@pytest.mark.parametrize("role", MODELS)
def test_the_models_of_a_pair_have_its_name(pair: ShippedPair, role: Role) -> None:
    assert load_config(pair.directory_of(role)).name == pair.model_name(role)
    assert (pair.directory_of(role) / "README.md").is_file()


@pytest.mark.parametrize("role", MODELS)
def test_the_separator_is_one_token(pair: ShippedPair, role: Role) -> None:
    assert len(ChatTokenizer(pair.directory_of(role)).encode("\n\n")) == 1
