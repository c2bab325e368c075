"""Trains the process reward model from the generator's backbone.

Binary cross-entropy on every solution token ("is the solution still right here?"), step ends weighted higher, plus the language
model's own loss on the right tokens, so that the verifier goes on learning the arithmetic that it checks. Some of the rows are
solutions sampled by the shipped generator, the others new problems with mistakes of known kinds. The shipped head is one logit;
the score of a step is read at the separator that closes it.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM, LlamaForSequenceClassification

from generators.training.train import optimizers, schedule
from reward_models.training.examples import IGNORED, Batch, Row, collate, fresh_rows, row
from reward_models.training.samples import read_samples


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to train. ``sampled_share``: part of the rows that are the generator's own solutions."""

    steps: int = 1_200
    decay_from: int = 600
    batch_size: int = 24
    n_solutions: int = 4
    learning_rate: float = 2e-3
    warmup: int = 50
    sampled_share: float = 0.4
    language_weight: float = 0.3
    seed: int = 1
    checkpoint_every: int = 250


def _sampled_rows(tokenizer: Tokenizer, path: Path, rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Endless rows of sampled solutions; a right solution is added where none was sampled."""
    data = read_samples(path)
    while True:
        for i in rng.permutation(len(data)):
            problem, solutions = data[i]
            distinct = sorted(set(solutions))
            chosen = [distinct[j] for j in rng.permutation(len(distinct))[:n]]
            if all(solution != problem.solution for solution in chosen):
                chosen = [problem.solution, *chosen[: n - 1]]
            yield row(tokenizer, problem, chosen)


def batches(tokenizer: Tokenizer, recipe: Recipe, samples: Path) -> Iterator[Batch]:
    """Endless batches of mixed rows of like length."""
    rng = np.random.default_rng(recipe.seed)
    sampled = _sampled_rows(tokenizer, samples, rng, recipe.n_solutions)
    fresh = fresh_rows(tokenizer, rng, recipe.n_solutions)
    while True:
        rows = [next(sampled if rng.random() < recipe.sampled_share else fresh) for _ in range(16 * recipe.batch_size)]
        rows.sort(key=lambda r: len(r.ids))
        for start in rng.permutation(16) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])


def train_reward_model(
    tokenizer: Tokenizer, backbone_folder: Path, samples: Path, folder: Path, recipe: Recipe
) -> LlamaForSequenceClassification:
    """Train and return the model; ``folder`` gets checkpoints and ``log.jsonl``."""
    torch.manual_seed(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    language_model = LlamaForCausalLM.from_pretrained(backbone_folder).to(device)
    config = language_model.config
    config.num_labels = 1
    model = LlamaForSequenceClassification(config).to(device)
    model.model.load_state_dict(language_model.model.state_dict())
    torch.nn.init.zeros_(model.score.weight)
    model.config._attn_implementation = "sdpa"
    backbone = torch.compile(model.model, dynamic=True)
    opts = optimizers(model, recipe.learning_rate)
    folder.mkdir(parents=True, exist_ok=True)
    began, losses, n_tokens = time.perf_counter(), [], 0
    for step, batch in zip(range(recipe.steps), batches(tokenizer, recipe, samples), strict=False):
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = recipe.learning_rate * schedule(step, recipe.steps, recipe.warmup, recipe.decay_from)
        judged, known = batch.labels >= 0, batch.next_ids != IGNORED
        with torch.autocast(device, dtype=torch.bfloat16):
            hidden = backbone(
                batch.ids.to(device),
                attention_mask=batch.mask.to(device),
                position_ids=batch.positions.to(device),
                use_cache=False,
            ).last_hidden_state
            words = hidden[known] @ model.model.embed_tokens.weight.T
        logits = model.score(hidden[judged].float())[:, 0]
        weights = batch.weights[judged].to(device)
        per_token = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, batch.labels[judged].float().to(device), reduction="none"
        )
        judging = (per_token * weights).sum() / weights.sum()
        language = torch.nn.functional.cross_entropy(words.float(), batch.next_ids[known].to(device))
        (judging + recipe.language_weight * language).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        losses.append((judging.item(), language.item()))
        n_tokens += batch.ids.numel()
        if (step + 1) % 50 == 0:
            seconds = time.perf_counter() - began
            judging_mean, language_mean = np.mean(losses, axis=0)
            losses = []
            entry = {
                "step": step + 1,
                "judging": judging_mean,
                "language": language_mean,
                "tokens": n_tokens,
                "seconds": seconds,
            }
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            means = f"judging {judging_mean:.4f}  language {language_mean:.4f}"
            print(
                f"step {step + 1}/{recipe.steps}  {means}  {n_tokens / seconds:,.0f} tokens/s",
                flush=True,
            )
        if (step + 1) % recipe.checkpoint_every == 0:
            model.save_pretrained(folder / f"step-{step + 1}")
    return model
