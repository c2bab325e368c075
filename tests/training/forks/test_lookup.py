"""The generator of forks begins with two layers that find the doors of the room where a walk is."""

from itertools import repeat

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch
from transformers import LlamaForCausalLM

from epf.training.forks.generator import generator_config, make_tokenizer
from epf.training.forks.lookup import begin_as_lookup
from epf.training.forks.walks import batches

TOKENIZER = make_tokenizer(0)


def test_the_second_layer_looks_at_the_rooms_behind_the_doors_of_the_current_room() -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(generator_config(TOKENIZER))
    model.config._attn_implementation = "eager"
    batch = next(batches(TOKENIZER, np.random.default_rng(0), repeat(1.0), n_mazes=2, n_walks=2))
    blocked = torch.where(batch.mask, 0.0, -1e9)

    def attention_on_doors() -> float:
        with torch.no_grad():
            found = model.model(
                batch.ids, attention_mask=blocked, position_ids=batch.positions, use_cache=False, output_attentions=True
            ).attentions
        shares = []
        for row, at in torch.nonzero(batch.labels >= 0).tolist():
            if TOKENIZER.decode([int(batch.ids[row, at])]).endswith("-"):
                behind = torch.zeros(batch.ids.shape[1], dtype=torch.bool)
                behind[1:] = batch.ids[row, :-1] == batch.ids[row, at]
                shares.append(found[1][row, :, at, behind].sum(-1).mean())
        return float(torch.stack(shares).mean())

    assert attention_on_doors() < 0.05
    begin_as_lookup(model, batch)
    assert attention_on_doors() > 0.25
