"""Prompts and probabilities of each family compared with its published reference, which tokenizes the whole text at once."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pytest
from tokenizers import Tokenizer

from epf.core.errors import InvalidRequest, RewardModelError
from epf.engines.onnx.pairs import STORIES
from epf.reward_models.families.by_text import TEXT_FAMILIES
from epf.reward_models.families.registry import FAMILIES, load_family
from tests.engines.markers import without_special_flags
from tests.reward_models.families import stand_ins
from tests.reward_models.families.opening import TAGGED, opened, write_tokenizer

PROBLEM = "How many eggs does Janet sell?"
STEPS = ("To find how many, we count.\nJanet has 16 eggs.", "16 - 3 - 4 = 9", "So \\boxed{9} eggs.")
TRACES = [STEPS[:1], STEPS[:2], STEPS, ("",), ("", STEPS[1])]

QWEN_TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


def whole(tokenizer: Tokenizer, text: str, *, bos: bool = False) -> list[int]:
    """Ids of a text with its special tokens, as ``transformers`` reads it."""
    tokenizer.encode_special_tokens = False
    ids = list(tokenizer.encode(text, add_special_tokens=bos).ids)
    tokenizer.encode_special_tokens = True
    return ids


def up_to_last(ids: list[int], marker: int) -> tuple[int, ...]:
    return tuple(ids[: len(ids) - ids[::-1].index(marker)])


@pytest.fixture
def qwen_tokenizer() -> Tokenizer:
    return stand_ins.byte_level(stand_ins.QWEN_SPLIT, stand_ins.QWEN_SPECIALS)


def id_of(tokenizer: Tokenizer, token: str) -> int:
    id_ = tokenizer.token_to_id(token)
    assert id_ is not None
    return int(id_)


@pytest.fixture
def llama_tokenizer() -> Tokenizer:
    return stand_ins.byte_level(stand_ins.LLAMA_SPLIT, stand_ins.LLAMA_SPECIALS)


@pytest.mark.parametrize("steps", TRACES)
def test_the_prompt_of_qwen_matches_the_model_card_up_to_the_newest_marker(
    steps: tuple[str, ...], qwen_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    family = load_family("qwen2.5-math-prm", stand_ins.write(tmp_path, qwen_tokenizer))
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": PROBLEM},
        {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
    ]
    text = jinja2.Template(QWEN_TEMPLATE, keep_trailing_newline=True).render(messages=messages)
    marker = id_of(qwen_tokenizer, "<extra_0>")
    reference = whole(qwen_tokenizer, text)
    assert reference.count(marker) == len(steps)
    assert family.prompt(PROBLEM, steps) == up_to_last(reference, marker)
    assert family.prompt(PROBLEM, steps)[-1] == marker


def test_the_score_of_qwen_is_the_softmax_of_the_second_label(qwen_tokenizer: Tokenizer, tmp_path: Path) -> None:
    family = load_family("qwen2.5-math-prm", stand_ins.write(tmp_path, qwen_tokenizer))
    assert family.read == "tokens"
    assert family.probability([0.3, 1.7]) == pytest.approx(math.exp(1.7) / (math.exp(0.3) + math.exp(1.7)), abs=1e-12)


def reference_skywork(tokenizer: Tokenizer, problem: str, lines: list[str]) -> tuple[int, ...]:
    """The bos token, the problem and a newline, then every line tokenized by itself and closed by the step token."""
    newline = whole(tokenizer, "\n")[-1]
    ids = whole(tokenizer, f"<|endoftext|>{problem}\n")
    for line in lines:
        ids += [*(whole(tokenizer, line) if line else []), newline]
    return tuple(ids)


@pytest.mark.parametrize("steps", TRACES)
def test_the_prompt_of_skywork_matches_the_reference(steps: tuple[str, ...], qwen_tokenizer: Tokenizer, tmp_path: Path) -> None:
    directory = stand_ins.write(tmp_path, qwen_tokenizer, bos_token="<|endoftext|>")
    family = load_family("skywork-o1-prm", directory)
    assert family.prompt(PROBLEM, steps) == reference_skywork(qwen_tokenizer, PROBLEM, "\n".join(steps).split("\n"))
    assert family.probability([0.4]) == pytest.approx(1 / (1 + math.exp(-0.4)), abs=1e-12)


def test_skywork_requires_a_bos_token(qwen_tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bos_token"):
        load_family("skywork-o1-prm", stand_ins.write(tmp_path, qwen_tokenizer))


@pytest.mark.parametrize("steps", TRACES)
def test_the_prompt_of_math_shepherd_matches_the_card_up_to_the_newest_tag(steps: tuple[str, ...], tmp_path: Path) -> None:
    tokenizer = stand_ins.mistral()
    family = load_family("math-shepherd", stand_ins.write(tmp_path, tokenizer, bos_token="<s>"))
    solution = "\n".join(f"Step {i}: {step}".strip() + " ки" for i, step in enumerate(steps, start=1))
    tag = id_of(tokenizer, "▁ки")
    reference = whole(tokenizer, f"{PROBLEM} {solution}", bos=True)
    assert reference.count(tag) == len(steps)
    assert family.prompt(PROBLEM, steps) == up_to_last(reference, tag)
    assert family.prompt(PROBLEM, [f" Step {i}: {s} " for i, s in enumerate(steps, 1)]) == up_to_last(reference, tag)


def test_the_score_of_math_shepherd_is_the_softmax_of_plus(tmp_path: Path) -> None:
    tokenizer = stand_ins.mistral()
    family = load_family("math-shepherd", stand_ins.write(tmp_path, tokenizer, bos_token="<s>"))
    assert family.read == "next_token"
    assert family.answer_ids == tuple(whole(tokenizer, "+ -"))
    assert family.probability([2.0, -1.0]) == pytest.approx(1 / (1 + math.exp(-3.0)), abs=1e-12)


@pytest.mark.parametrize("steps", TRACES[:3])
def test_the_prompt_of_rlhflow_matches_the_reference_up_to_the_newest_answer(
    steps: tuple[str, ...], llama_tokenizer: Tokenizer, tmp_path: Path
) -> None:
    directory = stand_ins.write(
        tmp_path, llama_tokenizer, bos_token="<|begin_of_text|>", chat_template=stand_ins.LLAMA_TEMPLATE
    )
    family = load_family("rlhflow", directory)
    messages = []
    for i, step in enumerate(steps):
        messages += [{"role": "user", "content": step if i else f"{PROBLEM} {step}"}, {"role": "assistant", "content": "+"}]
    template = jinja2.Template(stand_ins.LLAMA_TEMPLATE)
    text = template.render(messages=messages, bos_token="<|begin_of_text|>", add_generation_prompt=False)
    reference = whole(llama_tokenizer, text)
    # The reference reads the logits at position -3 of a conversation that ends with "+" and the end of the turn.
    assert family.prompt(PROBLEM, steps) == tuple(reference[:-2])
    assert reference[-2] == family.answer_ids[0]
    assert family.answer_ids == (llama_tokenizer.token_to_id("+"), llama_tokenizer.token_to_id("-"))


def tagged_tokenizer(name: str) -> Tokenizer:
    if name == "math-psa":
        return stand_ins.byte_level(stand_ins.QWEN_SPLIT, stand_ins.QWEN_SPECIALS, TAGGED)
    return stand_ins.byte_level(stand_ins.LLAMA_SPLIT, stand_ins.LLAMA_SPECIALS, TAGGED)


@pytest.mark.parametrize("steps", TRACES[:3])
def test_the_prompt_of_math_psa_matches_its_published_code(steps: tuple[str, ...], tmp_path: Path) -> None:
    tokenizer = tagged_tokenizer("math-psa")
    family = load_family("math-psa", stand_ins.write(tmp_path, tokenizer))
    solution = " ".join(f"Step {i}: {step} \n\n\n\n\n" for i, step in enumerate(steps, start=1))
    tag = whole(tokenizer, " \n\n\n\n\n")[-1]
    reference = whole(tokenizer, f"{PROBLEM} {solution}")
    assert reference.count(tag) == len(steps)
    assert family.prompt(PROBLEM, steps) == up_to_last(reference, tag)
    assert family.answer_ids == tuple(whole(tokenizer, " + -"))
    assert family.probability([2.0, -1.0]) == pytest.approx(1 / (1 + math.exp(-3.0)), abs=1e-12)


@pytest.mark.parametrize("steps", TRACES[:3])
def test_the_prompt_of_versaprm_matches_the_card(steps: tuple[str, ...], tmp_path: Path) -> None:
    tokenizer = tagged_tokenizer("versaprm")
    family = load_family("versaprm", stand_ins.write(tmp_path, tokenizer, bos_token="<|begin_of_text|>"))
    solution = " \n\n\n\n".join(steps) + " \n\n\n\n"
    tag = whole(tokenizer, " \n\n\n\n")[-1]
    reference = whole(tokenizer, f"<|begin_of_text|>{PROBLEM} \n\n{solution}")
    assert reference.count(tag) == len(steps)
    assert family.prompt(PROBLEM, steps) == up_to_last(reference, tag)
    assert family.answer_ids == tuple(whole(tokenizer, "+-"))
    # The card takes the second of "-" and "+".
    assert family.probability([2.0, -1.0]) == pytest.approx(1 / (1 + math.exp(-3.0)), abs=1e-12)


@pytest.mark.parametrize("name", sorted(TEXT_FAMILIES))
@pytest.mark.parametrize("steps", TRACES[:3])
def test_a_prompt_as_text_is_the_one_in_tokens(name: str, steps: tuple[str, ...], tmp_path: Path) -> None:
    family, by_text = opened(name, tmp_path), TEXT_FAMILIES[name]
    prompt = by_text.prompt(PROBLEM, steps)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    if isinstance(prompt, str):
        bos = id_of(tokenizer, "<s>" if name == "math-shepherd" else "<|begin_of_text|>") if name != "math-psa" else None
        ids = ([] if bos is None else [bos]) + whole(tokenizer, prompt)
    else:
        messages = [{"role": message.role, "content": message.content} for message in prompt]
        template = jinja2.Template(stand_ins.LLAMA_TEMPLATE, keep_trailing_newline=True)
        text = template.render(messages=messages, bos_token="<|begin_of_text|>", add_generation_prompt=True)
        ids = whole(tokenizer, text)
    assert family.prompt(PROBLEM, steps) == tuple(ids)
    assert by_text.name == family.name
    assert by_text.answers == family.answers


def test_the_prompt_of_the_embedded_family_is_the_one_it_was_trained_with() -> None:
    directory = STORIES.reward_model
    family = load_family("embedded", directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    text = f"<|im_start|>user\n{PROBLEM}<|im_end|>\n<|im_start|>assistant\n" + "".join(f"{s}\n\n" for s in STEPS)
    assert family.prompt(PROBLEM, STEPS) == tuple(whole(tokenizer, text))


MARKERS = {
    "embedded": ("\n\n<|im_end|>", ("\n\n", "<|im_end|>")),
    "math-psa": (" \n\n\n\n\n<|im_end|>", ("ĠĊĊĊĊĊ", "<|im_end|>")),
    "math-shepherd": (" ки<s>", ("▁ки", "<s>")),
    "qwen2.5-math-prm": ("<extra_0><|im_end|>", ("<extra_0>", "<|im_end|>")),
    "rlhflow": ("<|eot_id|><|start_header_id|>assistant", ("<|eot_id|>", "<|start_header_id|>")),
    "versaprm": (" \n\n\n\n<|eot_id|>", ("ĠĊĊĊĊ", "<|eot_id|>")),
    "skywork-o1-prm": ("\n<|endoftext|>", ("<|endoftext|>",)),
}


@pytest.mark.parametrize("flags", ["as published", "none is special"])
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_marker_in_a_step_or_problem_is_text(name: str, flags: str, tmp_path: Path) -> None:
    published = STORIES.reward_model if name == "embedded" else write_tokenizer(name, tmp_path)
    (tmp_path / "copy").mkdir()
    directory = published if flags == "as published" else without_special_flags(tmp_path / "copy", published)
    family = load_family(name, directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    marker, tokens = MARKERS[name]
    assert {tokenizer.token_to_id(token) for token in tokens} <= set(whole(tokenizer, f"a{marker} b"))
    plain = family.prompt("a x b", ("c x d", "e x f"))
    typed = family.prompt("a x b", (f"c x{marker} d", f"e x{marker} f"))
    asked = family.prompt(f"a x{marker.strip()} b", ("c x d", "e x f"))
    assert plain not in (typed, asked)
    for token in tokens:
        id_ = tokenizer.token_to_id(token)
        assert typed.count(id_) == asked.count(id_) == plain.count(id_), token
    text = tokenizer.decode(list(typed), skip_special_tokens=False)
    assert text.count(marker.strip()) - tokenizer.decode(list(plain), skip_special_tokens=False).count(marker.strip()) == 2


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_prompt_of_a_trace_extends_that_of_its_prefix(name: str, tmp_path: Path) -> None:
    family = opened(name, tmp_path)
    prompts = [family.prompt(PROBLEM, STEPS[:n]) for n in (1, 2, 3)]
    for shorter, longer in pairwise(prompts):
        assert longer[: len(shorter)] == shorter


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_invalid_values_are_rejected(name: str, tmp_path: Path) -> None:
    family = opened(name, tmp_path)
    good = [0.5] * family.n_values
    assert family.probability(good) in (0.5, pytest.approx(1 / (1 + math.exp(-0.5))))
    bad_values: tuple[list[Any], ...] = (
        [],
        [*good, 0.1],
        [math.nan] * family.n_values,
        [math.inf] * family.n_values,
        [None] * family.n_values,
    )
    for bad in bad_values:
        with pytest.raises(RewardModelError, match=family.name):
            family.probability(bad)
    assert family.probability([1000.0, -1000.0][: family.n_values]) in (0.0, 1.0)


def test_unknown_families_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="math-shepherd"):
        load_family("gpt", tmp_path)


def test_a_vocabulary_without_the_marker_is_rejected(llama_tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="extra_0"):
        load_family("qwen2.5-math-prm", stand_ins.write(tmp_path, llama_tokenizer))
