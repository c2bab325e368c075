"""The outputs do not depend on how tokens get into the cache; they equal those of one uncached row."""

from pathlib import Path

import numpy as np
import pytest

from epf.engines.onnx.config import load_config
from epf.engines.onnx.decoder import Decoder
from tests.tiny_model import CONTEXT, VOCABULARY, Floats, forward, write_model

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Floats]]:
    path = tmp_path_factory.mktemp("decoder") / "generator"
    return path, write_model(path, "generator")


def random_rows(lengths: list[int]) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(1)
    return [tuple(rng.integers(0, VOCABULARY, length).tolist()) for length in lengths]


def test_ragged_rows_decode_together(model: tuple[Path, dict[str, Floats]]) -> None:
    path, tensors = model
    decoder = Decoder(path, load_config(path), 4, 1)
    rows = random_rows([30, 9, CONTEXT, 2])
    for i, row in enumerate(rows):
        decoder.extend(i, 0, row[:-1])
    logits = decoder.decode(np.array([row[-1] for row in rows]), np.array([len(row) - 1 for row in rows]))
    for i, row in enumerate(rows):
        np.testing.assert_allclose(logits[i], forward(tensors, row)[-1], atol=TOLERANCE)


def test_token_by_token_equals_all_at_once(model: tuple[Path, dict[str, Floats]]) -> None:
    path, tensors = model
    decoder = Decoder(path, load_config(path), 2, 1)
    first, second = random_rows([20, 20])
    decoder.extend(0, 0, first[:5])
    decoder.extend(1, 0, second[:5])
    for position in range(5, 20):
        logits = decoder.decode(np.array([first[position], second[position]]), np.array([position, position]))
        np.testing.assert_allclose(logits[0], forward(tensors, first[: position + 1])[-1], atol=TOLERANCE)
        np.testing.assert_allclose(logits[1], forward(tensors, second[: position + 1])[-1], atol=TOLERANCE)


def test_a_row_continues_after_its_cached_prefix(model: tuple[Path, dict[str, Floats]]) -> None:
    path, tensors = model
    decoder = Decoder(path, load_config(path), 1, 1)
    (row,) = random_rows([33])
    decoder.extend(0, 0, row[:12])
    np.testing.assert_allclose(decoder.extend(0, 12, row[12:]), forward(tensors, row)[-1], atol=TOLERANCE)


def test_branches_are_copies_of_segments(model: tuple[Path, dict[str, Floats]]) -> None:
    path, tensors = model
    decoder = Decoder(path, load_config(path), 3, 1)
    stem, left, right = random_rows([15, 6, 9])
    decoder.extend(0, 0, stem)
    prompt = decoder.read(0, 0, len(stem))
    decoder.extend(0, len(stem), left)
    step = decoder.read(0, len(stem), len(stem) + len(left))
    decoder.write(1, 0, prompt)
    decoder.write(1, len(stem), step)
    decoder.write(2, 0, prompt)
    decoder.extend(2, len(stem), right)
    decoder.move(2, 0, len(stem) + len(right))
    last = (7,)
    logits = decoder.decode(np.array([*last, *last]), np.array([len(stem) + len(right), len(stem) + len(left)]))
    np.testing.assert_allclose(logits[0], forward(tensors, stem + right + last)[-1], atol=TOLERANCE)
    np.testing.assert_allclose(logits[1], forward(tensors, stem + left + last)[-1], atol=TOLERANCE)


def test_leftovers_of_a_longer_row_have_no_effect(model: tuple[Path, dict[str, Floats]]) -> None:
    path, tensors = model
    decoder = Decoder(path, load_config(path), 1, 1)
    longer, shorter = random_rows([60, 10])
    decoder.extend(0, 0, longer)
    decoder.extend(0, 0, shorter[:-1])
    logits = decoder.decode(np.array([shorter[-1]]), np.array([len(shorter) - 1]))
    np.testing.assert_allclose(logits[0], forward(tensors, shorter)[-1], atol=TOLERANCE)
