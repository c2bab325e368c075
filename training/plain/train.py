"""Trains the generator of the pair ``plain``: resumable at any moment, on a CPU or an accelerator.

Muon trains the matrices and AdamW the rest (:mod:`epf.training.loop`). What ships is the exponential moving average of the
weights, which is ready at any step. The state on disk is complete: a run that was killed goes on as if it had not been.

A run can also start from a generator that an earlier one published, in 16 or 8 bits: at its step, with fresh optimisers. So a
training of many hours moves to another machine.

The averaged model is written in 16 bits whenever the state is, so that it can be published and measured while training goes on:

    python -m epf.training.publish runs/plain/generator/average runs/plain/tokenizer OUT plain-generator
"""

import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from epf.engines.onnx.config import read_json
from epf.training.export import WEIGHTS
from epf.training.loop import mixed_precision, optimizers, rate_factor
from epf.training.plain.batches import IGNORED, batches
from epf.training.plain.mixture import Mixture
from epf.training.plain.recipe import Recipe, generator_config
from epf.training.restore import restore
from epf.training.tensor_file import read_tensors

AVERAGE = 0.998
"""Share of the old average that stays at each step."""
AVERAGED = "average"
TRAINED_STEPS = "trained_steps"
"""Where the configuration of an averaged model keeps its number of steps."""
SAVE_EVERY_S = 300.0
LOG_EVERY = 20


class Trainer:
    """The model, its optimisers, its average and the step, and how they reach the disk and come back."""

    def __init__(self, tokenizer: Tokenizer, folder: Path, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.recipe, self.folder, self.step = recipe, folder, 0
        self.model = LlamaForCausalLM(generator_config(tokenizer)).to(self.device)
        self.model.config._attn_implementation = "sdpa"
        self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.optimizers = optimizers(self.model, recipe.learning_rate)

    @property
    def path(self) -> Path:
        """The file of the state."""
        return self.folder / "state.pt"

    def load(self, start: Path | None = None) -> None:
        """Continue from the state on disk, or else from the generator in ``start``, if there is one."""
        if self.path.exists():
            state = torch.load(self.path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average = state["average"]
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step = state["step"]
        elif start is not None:
            weights = restore(read_tensors(start / WEIGHTS), np.float32)
            self.model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
            self.average = {name: value.detach().clone() for name, value in self.model.named_parameters()}
            self.step = read_json(start / "config.json")[TRAINED_STEPS]

    def save(self) -> None:
        """Write the state and the averaged model; each file replaces its predecessor only when it is complete."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.path)
        model = LlamaForCausalLM(self.model.config)
        setattr(model.config, TRAINED_STEPS, self.step)
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()}, strict=False)
        model.tie_weights()
        with TemporaryDirectory(dir=self.folder) as written:
            model.half().save_pretrained(written)
            (self.folder / AVERAGED).mkdir(exist_ok=True)
            for file in Path(written).iterdir():
                os.replace(file, self.folder / AVERAGED / file.name)

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the weights; early on it follows them closely."""
        share = 1 - min(AVERAGE, (1 + self.step) / (10 + self.step))
        for name, value in self.model.named_parameters():
            self.average[name].lerp_(value, share)


def train(tokenizer: Tokenizer, mixture: Mixture, folder: Path, recipe: Recipe, start: Path | None = None) -> None:
    """Train up to ``recipe.steps``, from the state in ``folder``, from the generator in ``start``, or from nothing.

    ``folder`` receives ``state.pt``, ``log.jsonl`` and the averaged model in ``average``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(tokenizer, folder, recipe)
    trainer.load(start)
    backbone = torch.compile(trainer.model.model, dynamic=True)
    began, saved, n_tokens, losses = time.perf_counter(), time.perf_counter(), 0, []
    stream = batches(tokenizer, mixture, recipe, trainer.step)
    while trainer.step < recipe.steps:
        batch = next(stream)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * rate_factor(trainer.step, recipe)
        ids, targets = batch.ids.to(trainer.device), batch.labels[:, 1:].to(trainer.device)
        with mixed_precision(trainer.device):
            hidden = backbone(ids[:, :-1], use_cache=False).last_hidden_state[targets != IGNORED]
            logits = trainer.model.lm_head(hidden)
        loss = torch.nn.functional.cross_entropy(logits.float(), targets[targets != IGNORED])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
        for optimizer in trainer.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        trainer.step += 1
        trainer.update_average()
        losses.append(loss.item())
        n_tokens += ids.numel()
        if trainer.step % LOG_EVERY == 0:
            seconds = time.perf_counter() - began
            entry = {"step": trainer.step, "loss": sum(losses) / len(losses), "tokens_per_s": n_tokens / seconds}
            losses = []
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            print(
                f"step {trainer.step}/{recipe.steps}  loss {entry['loss']:.4f}  {entry['tokens_per_s']:,.0f} tokens/s",
                flush=True,
            )
        if time.perf_counter() - saved > SAVE_EVERY_S:
            trainer.save()
            saved = time.perf_counter()
    trainer.save()
