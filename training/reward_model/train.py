"""Trains the process reward model: two layers on top of the generator's frozen backbone.

At every token the backbone has computed what it expects next, so a layer that attends to the previous token can compare the
token with that expectation. The first new layer therefore starts by looking one token back, and the residual stream is scaled
down so that new layers of ordinary size can write into it. With neither, the loss stayed for hundreds of steps at the level of
guessing from the depth alone.

The loss is binary cross-entropy on every solution token ("is the solution still right here?"), with higher weights on step ends
and on the token that makes the solution wrong. Some of the rows are solutions sampled from the shipped generator, the others
are new problems with mistakes of known kinds. The head is one logit; the score of a step is read at the separator that closes
it.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM, LlamaForSequenceClassification

from epf.training.loop import fit, mixed_precision
from epf.training.reward_model.distil import Teacher, at_ends, ranking_loss
from epf.training.reward_model.examples import Batch, Row, collate, fresh_rows, hidden_states, row
from epf.training.reward_model.samples import read_samples

LOOK_BACK_FREQUENCIES = 3
LOOK_BACK_SCALE = 6.0
RESIDUAL_SCALE = 1 / 16


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to train.

    Attributes:
        extra_layers: number of layers trained on top of the backbone.
        sampled_share: share of the rows that are solutions sampled from the generator.
    """

    steps: int = 900
    decay_from: int = 400
    extra_layers: int = 2
    batch_size: int = 24
    n_solutions: int = 4
    learning_rate: float = 3e-3
    warmup: int = 30
    sampled_share: float = 0.4
    seed: int = 1
    checkpoint_every: int = 250


def recipe_of(steps: int, seed: int) -> Recipe:
    """Return the recipe with another number of steps, of which as large a share has the full rate."""
    default = Recipe()
    return Recipe(steps=steps, decay_from=steps * default.decay_from // default.steps, seed=seed)


def _sampled_rows(tokenizer: Tokenizer, path: Path, rng: np.random.Generator, n: int) -> Iterator[Row]:
    """Yield rows of sampled solutions without end; a right solution is added if none was sampled."""
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
    """Yield batches of mixed rows of similar length without end."""
    rng = np.random.default_rng(recipe.seed)
    sampled = _sampled_rows(tokenizer, samples, rng, recipe.n_solutions)
    fresh = fresh_rows(tokenizer, rng, recipe.n_solutions)
    while True:
        rows = [next(sampled if rng.random() < recipe.sampled_share else fresh) for _ in range(16 * recipe.batch_size)]
        rows.sort(key=lambda r: len(r.ids))
        for start in rng.permutation(16) * recipe.batch_size:
            yield collate(tokenizer, rows[start : start + recipe.batch_size])


@torch.no_grad()
def deepened(language_model: LlamaForCausalLM, extra_layers: int) -> LlamaForSequenceClassification:
    """Return the language model's backbone, frozen and unchanged in function, with new layers and a head whose score is 1/2.

    Everything that is written into the residual stream is scaled by the same factor, which the norms that read it undo.
    """
    config = copy.deepcopy(language_model.config)
    config.num_labels = 1
    config.num_hidden_layers += extra_layers
    config.rms_norm_eps = 1e-8
    model = LlamaForSequenceClassification(config)
    model.model.load_state_dict(language_model.model.state_dict(), strict=False)
    backbone, new = model.model.layers[:-extra_layers], model.model.layers[-extra_layers:]
    model.model.embed_tokens.weight.mul_(RESIDUAL_SCALE)
    for layer in backbone:
        layer.self_attn.o_proj.weight.mul_(RESIDUAL_SCALE)
        layer.mlp.down_proj.weight.mul_(RESIDUAL_SCALE)
        layer.requires_grad_(False)
    model.model.embed_tokens.requires_grad_(False)
    for name, weight in new.named_parameters():
        if weight.ndim == 2:
            gain = 0.5 if "o_proj" in name or "down_proj" in name else 1.0
            torch.nn.init.normal_(weight, std=gain / weight.shape[1] ** 0.5)
    torch.nn.init.zeros_(model.score.weight)
    return model


@torch.no_grad()
def look_back(model: LlamaForSequenceClassification, layer: int, batch: Batch) -> None:
    """Make all heads of a layer attend to the previous token, by the rotary angles of their fastest frequencies.

    Queries and keys must be the same vector at every token. Without a bias, u comes close: the least squares solution of
    "u . h = 1 for all inputs h of the layer" on ``batch``. The query is rotated back by one token.
    """
    inputs: list[torch.Tensor] = []
    handle = model.model.layers[layer].input_layernorm.register_forward_hook(lambda _, __, output: inputs.append(output))
    model.model(batch.ids, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False)
    handle.remove()
    h = inputs[0][batch.labels >= 0]
    width = h.shape[1]
    constant = torch.linalg.solve(h.T @ h / len(h) + 1e-3 * torch.eye(width), h.mean(0))
    attention = model.model.layers[layer].self_attn
    half = attention.head_dim // 2
    angles = model.config.rope_parameters["rope_theta"] ** (-torch.arange(LOOK_BACK_FREQUENCIES) / half)
    query, key = torch.zeros_like(attention.q_proj.weight), torch.zeros_like(attention.k_proj.weight)
    for head in range(model.config.num_attention_heads):
        first = head * attention.head_dim
        for i, angle in enumerate(angles.tolist()):
            key[first + i] = LOOK_BACK_SCALE * constant
            query[first + i] = LOOK_BACK_SCALE * math.cos(angle) * constant
            query[first + half + i] = -LOOK_BACK_SCALE * math.sin(angle) * constant
    attention.q_proj.weight.copy_(query)
    attention.k_proj.weight.copy_(key)


def train_reward_model(
    tokenizer: Tokenizer, backbone_folder: Path, samples: Path, folder: Path, recipe: Recipe, teacher_folder: Path | None = None
) -> LlamaForSequenceClassification:
    """Train and return the model of the pair ``stories``; see :func:`train_on`."""
    return train_on(batches(tokenizer, recipe, samples), backbone_folder, folder, recipe, teacher_folder)


def train_on(
    stream: Iterator[Batch], backbone_folder: Path, folder: Path, recipe: Recipe, teacher_folder: Path | None = None
) -> LlamaForSequenceClassification:
    """Train and return the model, also on the teacher's ranking if there is one; checkpoints and log go to ``folder``."""
    torch.manual_seed(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    language_model = LlamaForCausalLM.from_pretrained(backbone_folder, dtype=torch.float32).to(device)
    model = deepened(language_model, recipe.extra_layers)
    model.config._attn_implementation = "sdpa"
    look_back(model, language_model.config.num_hidden_layers, next(stream))
    model = model.to(device)
    backbone = torch.compile(model.model, dynamic=True)
    teacher = None if teacher_folder is None else Teacher(teacher_folder, device)

    def loss_of(batch: Batch) -> tuple[torch.Tensor, int]:
        labelled = batch.labels >= 0
        with mixed_precision(device):
            hidden = hidden_states(backbone, batch, device)
        logits = model.score(hidden[labelled].float())[:, 0]
        targets, weights = batch.labels[labelled].float().to(device), batch.weights[labelled].to(device)
        per_token = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        loss = (per_token * weights).sum() / weights.sum()
        if teacher is not None:
            student = model.score(at_ends(hidden, batch).float())[..., 0]
            loss = loss + ranking_loss(student, teacher.logits(batch), batch)
        return loss, batch.ids.numel()

    fit(model, stream, loss_of, recipe, folder)
    return model
