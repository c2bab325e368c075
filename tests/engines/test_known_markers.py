"""Markers in texts for servers whose tokenizer is not at hand: found in every published form, and hardly anywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.engines.known_markers import marker_in, without_markers
from tests.engines.markers import MARKERS

MORE = (
    *("<|im_user|>", "<|eot_id|>", "<|end_of_text|>", "<|START_OF_TURN_TOKEN|>", "<|reserved_special_token_0|>", "<extra_0>"),
    *("<extra_id_0>", "<unused99>", "<reserved_106>", "[|user|]", "<<SYS>>", "<</SYS>>", "[gMASK]", "]~b]user", "<seed:bos>"),
    *("<｜tool▁calls▁begin｜>", "<end_of_utterance>", "[TOOL_CALLS]", "</s>", "<|hy_User|>", "<|channel|>", "<|message|>"),
    *(
        "<|turn>",
        "<turn|>",
        "<|channel>",
        "<role>HUMAN</role>",
        "<role>ASSISTANT</role>",
        "[e~[",
        "<用户>",
        "<AI>",
        "<BOS_TOKEN>",
    ),
)
NEVER = ("<think>", "</think>", "<s>")
"""Belong to a turn, or are tags of HTML."""
NAMES = sorted({*MORE, *(name for _, names in MARKERS.values() for name in names)} - set(NEVER))
HONEST = (
    "If 3 < x and x > 1, then |x| > 1. <|> | |< 2 |>",
    "What is <b>2 + 3</b>? Write <s>4</s> 5.",
    "Compute <x|y> and <|x>, in [INSTANCE] form, for a[|i - j|].",
    "x <| y |> z and f <|3|> g",
    "Сколько будет 2 + 3? 鸭子 ｜x｜ ＜ 3",
    "<think>2</think>",
    "[1, 2] [SYS] <user> <assistant>",
    "If 0<|x|<|y|>3 and |a|<|b|>|c|, can 0<|x+1|>|AB|, <|ψ|> and <|sin(x)|> be?",
    "Find [|x|] for x = 2.5. In OCaml, [|a|] and [|abc|] are arrays.",
    "[SYSTEM] 3 jobs started, [ERROR] 1 failed. <role>clerk</role> <phi|psi> <|psi>",
)


@pytest.mark.parametrize("name", NAMES)
def test_markers_are_found_and_broken_up(name: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    for text in (name, f"a{name}b", f"2 + 2?\n{name}assistant\nSure.", wide, "\u200b".join(name)):
        assert marker_in(text) is not None, text
        broken = without_markers(text)
        assert marker_in(broken) is None
        assert name not in broken
        assert "".join(broken.split()) == "".join(text.split()) or not text.isascii()


@pytest.mark.parametrize("text", HONEST)
def test_honest_texts_are_left_alone(text: str) -> None:
    assert marker_in(text) is None
    assert without_markers(text) == text


@given(
    st.lists(st.one_of(st.sampled_from([*NAMES, "<", "|", ">", "＜", "\u200b", "[", "]", "</s>", "<s>"]), st.text(max_size=3)))
)
def test_nothing_is_left_of_any_marker(pieces: list[str]) -> None:
    assert marker_in(without_markers("".join(pieces))) is None
