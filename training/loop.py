"""The training loop of both models: optimiser steps on a schedule, a log, checkpoints."""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch

Batch = TypeVar("Batch")
LOG_EVERY = 50


class Rates(Protocol):
    """The part of a recipe that determines the learning rate of a step. All values are numbers of optimiser steps."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def warmup(self) -> int: ...  # noqa: D102
    @property
    def decay_from(self) -> int: ...  # noqa: D102


class Schedule(Rates, Protocol):
    """The part of a recipe that the loop reads; ``checkpoint_every`` is a number of optimiser steps."""

    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def checkpoint_every(self) -> int: ...  # noqa: D102


def optimizers(model: torch.nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the layers and AdamW for embeddings, norms and heads."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trained if p.ndim == 2 and "layers" in name]
    others = [p for name, p in trained if not (p.ndim == 2 and "layers" in name)]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.05),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate_factor(step: int, recipe: Rates) -> float:
    """Return the factor on the learning rate: linear warm-up, then constant, then a cosine to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    if step < recipe.decay_from:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - recipe.decay_from) / (recipe.steps - recipe.decay_from)))


def mixed_precision(device: str) -> torch.autocast:
    """Return an autocast to bfloat16 if the device computes in it; a CPU that emulates it is many times slower than float32."""
    can = torch.cpu.get_capabilities() if device == "cpu" else {"amx_bf16": True}
    return torch.autocast(device, dtype=torch.bfloat16, enabled=bool(can.get("amx_bf16") or can.get("avx512_bf16")))


def fit(
    model: torch.nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], tuple[torch.Tensor, int]],
    recipe: Schedule,
    folder: Path,
    first_step: int = 0,
    keep_also: int = 0,
) -> None:
    """Train ``model`` in place, starting at ``first_step``.

    ``loss_of`` returns the loss of a batch and its number of tokens. ``folder`` receives ``log.jsonl`` and checkpoints
    ``step-N``, one every ``recipe.checkpoint_every`` steps and one at step ``keep_also``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    opts = optimizers(model, recipe.learning_rate)
    began, n_tokens, losses = time.perf_counter(), 0, []
    for step, batch in zip(range(first_step, recipe.steps), batches, strict=False):
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = recipe.learning_rate * rate_factor(step, recipe)
        loss, n = loss_of(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        losses.append(loss.item())
        n_tokens += n
        if (step + 1) % LOG_EVERY == 0:
            seconds = time.perf_counter() - began
            entry = {"step": step + 1, "loss": float(np.mean(losses)), "tokens": n_tokens, "seconds": seconds}
            losses = []
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            print(f"step {step + 1}/{recipe.steps}  loss {entry['loss']:.4f}  {n_tokens / seconds:,.0f} tokens/s", flush=True)
        if (step + 1) % recipe.checkpoint_every == 0 or step + 1 == keep_also:
            model.save_pretrained(folder / f"step-{step + 1}")
