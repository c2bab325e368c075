"""Tiny random models with Qwen's architecture and a tokenizer that splits text like Qwen's."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.reward_models.families import stand_ins

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 1024,
    "initializer_range": 0.2,
}


def write_qwen_prm(directory: Path) -> Callable[[str, Sequence[str]], list[float]]:
    """Write a random ``Qwen2ForProcessRewardModel`` and return the model card's code, which scores every step."""
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen2Config, Qwen2Model

    torch.manual_seed(0)
    tokenizer = stand_ins.byte_level(stand_ins.QWEN_SPLIT, stand_ins.QWEN_SPECIALS)
    stand_ins.write(directory, tokenizer, tokenizer_class="PreTrainedTokenizerFast", eos_token="<|im_end|>")
    config = Qwen2Config(vocab_size=tokenizer.get_vocab_size(), **SIZES)
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


def write_qwen_generator(directory: Path) -> None:
    """A random ``Qwen2ForCausalLM`` that often writes tokens with more than a blank line and ends with one of two tokens."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    text = [*stand_ins.TEXT, "(a)\n\nb\n\n\nc)\n\n\n\n  (d).\n\n" * 4]
    tokenizer = stand_ins.byte_level(stand_ins.QWEN_SPLIT, stand_ins.QWEN_SPECIALS, text)
    size = tokenizer.get_vocab_size()
    template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    stand_ins.write(
        directory,
        tokenizer,
        tokenizer_class="PreTrainedTokenizerFast",
        eos_token="<|im_end|>",
        chat_template=template,
    )
    ends = [tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=size, eos_token_id=ends[0], tie_word_embeddings=False, **SIZES))
    lines = [id_ for token, id_ in tokenizer.get_vocab().items() if "ĊĊ" in token or token == "Ċ"]
    with torch.no_grad():
        model.lm_head.weight[lines] *= 2  # likely
        model.lm_head.weight[ends] *= 1.5
    model.generation_config.eos_token_id = ends
    model.save_pretrained(directory)
