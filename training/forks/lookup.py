"""The start of the generator of ``forks``: two layers that look a token up, built by hand.

To go through a door, a model has to find the room behind the one in which it is, an induction head (Olsson et al., "In-context
Learning and Induction Heads", 2022): one layer writes to each token which token came before it, the next one finds the token
whose predecessor is the current token, and copies it. From random weights this had not formed after 550 steps, so the layers
start as one; everything else, and they too, are trained. The construction is ours.
"""

import torch
from transformers import LlamaForCausalLM

from epf.training.reward_model.examples import Batch
from epf.training.reward_model.train import look_back

CONSTANT = 0.2
"""First component of every embedding at the start, by which a layer can look back whatever the token is."""
SLOW = 0.002
"""Rotary angles, in radians a token, below which two tokens of one text count as being in the same place."""
SHARPNESS = 1.5
GAIN = 0.14
SURE = 3.0
"""Weights of the last norm. Where a room has several doors, their copies share the logit that a single one has: with weights of
1, at a fork of three ways two thirds of the probability went to rooms without a door after 250 steps."""


@torch.no_grad()
def begin_as_lookup(model: LlamaForCausalLM, batch: Batch) -> None:
    """Make the first layer write down the previous token, and the second one copy the token after an earlier occurrence."""
    model.model.norm.weight.fill_(SURE)
    width, n_heads = model.config.hidden_size, model.config.num_attention_heads
    model.model.embed_tokens.weight[:, 0] = CONSTANT
    first, second = model.model.layers[:2]
    look_back(model, 0, batch)
    place, copied = _rotation(width), _rotation(width)
    first.self_attn.v_proj.weight.copy_(GAIN * place)
    first.self_attn.o_proj.weight.copy_(GAIN * _rotation(width))
    written = first.self_attn.o_proj.weight @ first.self_attn.v_proj.weight / GAIN**2
    for layer in (first, second):
        layer.mlp.down_proj.weight.mul_(0.1)

    half = second.self_attn.head_dim // 2
    angles = model.config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    slow = torch.nonzero(angles < SLOW)[:, 0]
    slow = torch.cat([slow, slow + half])
    query = torch.zeros_like(second.self_attn.q_proj.weight)
    for head in range(n_heads):
        query[head * second.self_attn.head_dim + slow, 1:] = torch.randn(len(slow), width - 1) / width**0.5
    query *= SHARPNESS
    second.self_attn.q_proj.weight.copy_(query)
    second.self_attn.k_proj.weight.copy_(query @ written.T)
    second.self_attn.v_proj.weight.copy_(GAIN * copied)
    second.self_attn.o_proj.weight.copy_(GAIN * copied.T)


def _rotation(width: int) -> torch.Tensor:
    """Return a random orthogonal matrix whose first input, the constant, is left out."""
    matrix = torch.linalg.qr(torch.randn(width, width)).Q
    matrix[:, 0] = 0
    return matrix
