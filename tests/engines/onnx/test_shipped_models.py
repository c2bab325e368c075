"""The shipped models compute what torch computes with the same weights, and have at most the promised size."""

from pathlib import Path

import numpy as np
import pytest

from epf.engines.onnx.config import SHIPPED, load_config
from epf.engines.onnx.decoder import Decoder
from epf.engines.tokenizer import ChatTokenizer

GOLDEN = Path(__file__).parents[2] / "data" / "golden_logits.npz"
MODELS = ("generator", "reward_model")
TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(
    not all((SHIPPED / name).exists() for name in MODELS), reason="no trained weights in this tree yet"
)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_match_the_recorded_ones_of_torch(name: str) -> None:
    """training/golden.py writes the file."""
    with np.load(GOLDEN) as golden:
        ids, lengths, outputs = (golden[f"{name}_{key}"] for key in ("ids", "lengths", "outputs"))
    decoder = Decoder(SHIPPED / name, load_config(SHIPPED / name), 1, 1)
    done = 0
    for length, expected in zip(lengths.tolist(), outputs, strict=True):
        computed = decoder.extend(0, done, tuple(ids[done:length].tolist()))
        np.testing.assert_allclose(computed, expected, atol=TOLERANCE)
        done = length


@pytest.mark.parametrize("name", MODELS)
def test_outputs_match_torch(name: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from epf.training.golden import golden

    ids, lengths, outputs = golden(SHIPPED / name)
    decoder = Decoder(SHIPPED / name, load_config(SHIPPED / name), 1, 1)
    for length, expected in zip(lengths.tolist(), outputs, strict=True):
        np.testing.assert_allclose(decoder.extend(0, 0, tuple(ids[:length].tolist())), expected, atol=TOLERANCE)


def test_both_models_fit_into_forty_megabytes() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 40e6


@pytest.mark.parametrize("name", MODELS)
def test_the_separator_is_one_token(name: str) -> None:
    assert len(ChatTokenizer(SHIPPED / name).encode("\n\n")) == 1
