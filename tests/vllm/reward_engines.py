"""What the tests of reward models on the real vLLM share: engines in this process, and a tiny Qwen PRM."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from reward_models.families.registry import load_family
from reward_models.pooled import PooledRewardModel
from reward_models.protocol import RewardModel
from reward_models.vllm import VllmPool, load_vllm
from tests.reward_models.families import stand_ins
from tests.vllm.serve import BLOCK, ENVIRONMENT

T = TypeVar("T")

WEIGHTS = Path(__file__).parents[2] / "embedded" / "weights"
ENGINE: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "block_size": BLOCK, "max_num_seqs": 64}


class _Borrowed(VllmPool):
    """Leaves the engine to the next test."""

    async def aclose(self) -> None:
        return


class Engine:
    """One vLLM engine and the event loop that it lives in."""

    def __init__(self, directory: Path, family: str) -> None:
        os.environ.update(ENVIRONMENT)
        self.loop = asyncio.new_event_loop()
        self.family = load_family(family, directory)
        self.owner = load_vllm(str(directory), family, **ENGINE)
        self.pool = self.owner._pool
        assert isinstance(self.pool, VllmPool)

    def open(self) -> PooledRewardModel:
        """A reward model whose closing leaves the engine running."""
        pool = self.pool
        assert isinstance(pool, VllmPool)
        return PooledRewardModel(_Borrowed(pool._engine, self.family, pool._params), self.family, "engine")

    def run(self, test: Callable[[RewardModel], Awaitable[T]]) -> T:
        async def main() -> T:
            reward_model = self.open()
            try:
                return await test(reward_model)
            finally:
                await reward_model.aclose()

        return self.loop.run_until_complete(asyncio.wait_for(main(), 60))

    def close(self) -> None:
        self.loop.run_until_complete(self.owner.aclose())
        self.loop.close()


@contextmanager
def engine(directory: Path, family: str) -> Iterator[Engine]:
    opened = Engine(directory, family)
    try:
        yield opened
    finally:
        opened.close()


def write_qwen_prm(directory: Path) -> Callable[[str, Sequence[str]], list[float]]:
    """A random ``Qwen2ForProcessRewardModel``; returns what the model card's code computes: the score of every step."""
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen2Config, Qwen2Model

    torch.manual_seed(0)
    tokenizer = stand_ins.byte_level(stand_ins.QWEN_SPLIT, stand_ins.QWEN_SPECIALS)
    size = tokenizer.get_vocab_size()
    stand_ins.write(directory, tokenizer, tokenizer_class="PreTrainedTokenizerFast", eos_token="<|im_end|>")
    config = Qwen2Config(
        vocab_size=size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        initializer_range=0.2,
    )
    body = Qwen2Model(config).eval()
    head = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)).eval()
    tensors = {f"model.{name}": tensor for name, tensor in body.state_dict().items()}
    tensors |= {f"score.{name}": tensor for name, tensor in head.state_dict().items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, directory / "model.safetensors")
    (directory / "config.json").write_text(
        json.dumps(config.to_dict() | {"architectures": ["Qwen2ForProcessRewardModel"], "dtype": "float32"})
    )
    marker = tokenizer.token_to_id("<extra_0>")
    system = "Please reason step by step, and put your final answer within \\boxed{}."

    def scores(problem: str, steps: Sequence[str]) -> list[float]:
        text = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{problem}<|im_end|>\n<|im_start|>assistant\n"
        text += "<extra_0>".join(steps) + "<extra_0><|im_end|>\n"
        tokenizer.encode_special_tokens = False
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False).ids])
        with torch.no_grad():
            probabilities = head(body(input_ids=ids).last_hidden_state).softmax(-1)[0]
        return [float(p) for p in probabilities[ids[0] == marker][:, 1]]

    return scores
