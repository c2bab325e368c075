"""Training goes on where it was killed, to the bit on one machine: state, optimisers, average and batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from epf.engines.onnx.config import read_json
from epf.training.plain.gsm8k.tracer import template_of
from epf.training.plain.mixture import Mixture
from epf.training.tokenizer import save_tokenizer, train_tokenizer

torch = pytest.importorskip("torch", reason="torch is not installed; the extra `train` has it")
load_file = pytest.importorskip("safetensors.torch", reason="safetensors is not installed; the extra `train` has it").load_file
pytest.importorskip("transformers", reason="transformers is not installed; the extra `train` has it")

from epf.training.plain.batches import batches  # noqa: E402
from epf.training.plain.recipe import Recipe  # noqa: E402
from epf.training.plain.train import AVERAGED, TRAINED_STEPS, Trainer, train  # noqa: E402
from epf.training.publish import publish  # noqa: E402
from epf.training.quantize import quantize_directory  # noqa: E402

RECIPE = Recipe(steps=4, decay_from=3, warmup=2, batch_size=2)


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    rows = (f"{name} has 14 nuts and eats 6. How many nuts are left?" for name in ("Lena", "Omar", "Paul", "Rosa", "Vera"))
    found = (template_of(row, "14-6=<<14-6=8>>8\n#### 8") for row in rows)
    return Mixture([template for template in found if template is not None])


@pytest.fixture(scope="module")
def tokenizer(mixture: Mixture) -> Tokenizer:
    rng = np.random.default_rng(0)
    return train_tokenizer((mixture.draw(rng, 3) for _ in range(300)), 600)


def test_batches_from_a_step_on_are_those_of_an_uninterrupted_run(mixture: Mixture, tokenizer: Tokenizer) -> None:
    whole, later = batches(tokenizer, mixture, RECIPE), batches(tokenizer, mixture, RECIPE, 11)
    for _ in range(11):
        next(whole)
    for _ in range(8):
        first, second = next(whole), next(later)
        assert torch.equal(first.ids, second.ids)
        assert torch.equal(first.labels, second.labels)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(mixture: Mixture, tokenizer: Tokenizer, tmp_path: Path) -> None:
    train(tokenizer, mixture, tmp_path / "whole", RECIPE)
    train(tokenizer, mixture, tmp_path / "parts", replace(RECIPE, steps=2))
    train(tokenizer, mixture, tmp_path / "parts", RECIPE)
    whole, parts = (load_file(tmp_path / name / AVERAGED / "model.safetensors") for name in ("whole", "parts"))
    for name, values in whole.items():
        torch.testing.assert_close(values, parts[name], rtol=1e-2, atol=1e-4, msg=name)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_starts_from_a_generator_that_another_one_published(
    mixture: Mixture, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    save_tokenizer(tokenizer, tmp_path / "tokenizer")
    train(tokenizer, mixture, tmp_path / "first", RECIPE)
    average, start = tmp_path / "first" / AVERAGED, tmp_path / "start"
    publish(average, tmp_path / "tokenizer", start, "plain-generator")
    quantize_directory(start)
    trainer = Trainer(tokenizer, tmp_path / "second", RECIPE)
    trainer.load(start)
    assert trainer.step == RECIPE.steps == read_json(start / "config.json")[TRAINED_STEPS]
    for name, values in load_file(average / "model.safetensors").items():
        wide = values.float()
        torch.testing.assert_close(trainer.average[name], wide, rtol=0, atol=float(wide.abs().max()) / 127, msg=name)
    train(tokenizer, mixture, tmp_path / "second", RECIPE, start)
    for name, values in load_file(tmp_path / "second" / AVERAGED / "model.safetensors").items():
        torch.testing.assert_close(values.float(), trainer.average[name], rtol=1e-3, atol=1e-4, msg=name)
