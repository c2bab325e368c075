"""The training loop of both models: gradient steps on a schedule, a log, checkpoints."""

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


class Course(Protocol):
    """What the loop needs to know of a recipe; all but ``learning_rate`` count optimiser steps."""

    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def warmup(self) -> int: ...  # noqa: D102
    @property
    def decay_from(self) -> int: ...  # noqa: D102
    @property
    def checkpoint_every(self) -> int: ...  # noqa: D102


def optimizers(model: torch.nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, norms and heads."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trained if p.ndim == 2 and "layers" in name]
    others = [p for name, p in trained if not (p.ndim == 2 and "layers" in name)]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, adjust_lr_fn="match_rms_adamw", weight_decay=0.05),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def schedule(step: int, steps: int, warmup: int, decay_from: int) -> float:
    """Factor on the learning rate: warm up, hold, cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 1.0 if step < decay_from else 0.5 * (1 + math.cos(math.pi * (step - decay_from) / (steps - decay_from)))


def mixed_precision(device: str) -> torch.autocast:
    """bfloat16 where the device computes in it. A CPU that does not would emulate it, many times slower than float32."""
    can = torch.cpu.get_capabilities() if device == "cpu" else {"amx_bf16": True}
    return torch.autocast(device, dtype=torch.bfloat16, enabled=bool(can.get("amx_bf16") or can.get("avx512_bf16")))


def fit(
    model: torch.nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], tuple[torch.Tensor, int]],
    course: Course,
    folder: Path,
    first_step: int = 0,
    keep_also: int = 0,
) -> None:
    """Train ``model`` in place from ``first_step`` on.

    ``loss_of`` gives a batch's loss and its number of tokens. ``folder`` gets ``log.jsonl`` and ``step-N`` checkpoints every
    ``course.checkpoint_every`` steps and at ``keep_also``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    opts = optimizers(model, course.learning_rate)
    began, n_tokens, losses = time.perf_counter(), 0, []
    for step, batch in zip(range(first_step, course.steps), batches, strict=False):
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = course.learning_rate * schedule(step, course.steps, course.warmup, course.decay_from)
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
            print(f"step {step + 1}/{course.steps}  loss {entry['loss']:.4f}  {n_tokens / seconds:,.0f} tokens/s", flush=True)
        if (step + 1) % course.checkpoint_every == 0 or step + 1 == keep_also:
            model.save_pretrained(folder / f"step-{step + 1}")
