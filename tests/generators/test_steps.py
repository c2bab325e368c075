"""Steps from token ids: wherever tokens split characters and separators, the texts are complete and no token is lost."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.core.generator import Step
from epf.generators.steps import read_step, split_step

EOS = 0
PIECES = (
    b"",  # the end token, which has no text
    b"a",
    b"\n",
    b"\n\n",
    b".\n\n",
    b"\n\n\n",
    b"\n\n\n\n b",
    *(bytes([byte]) for byte in "é€😀".encode()),
    "x€".encode()[:-1],
    b"\xff",
    b"",  # a special token in the middle of a text
)
SEPARATORS = ("\n\n", "\n", "€", "a.", ".\n\n\n", "")


def sampled(pieces: Sequence[bytes]) -> tuple[tuple[int, ...], Callable[[int], bytes]]:
    """Token ids that spell ``pieces``, and their vocabulary. An empty piece is the end token."""
    vocabulary = (b"", *(piece for piece in pieces if piece))
    numbers = iter(range(1, len(vocabulary)))
    return tuple(next(numbers) if piece else EOS for piece in pieces), vocabulary.__getitem__


def read(pieces: Sequence[bytes], separator: str = "\n\n", after: Sequence[bytes] = ()) -> Step:
    """The step that tokens spelling ``pieces`` begin with, after a prefix that spells ``after``."""
    ids, token_bytes = sampled([*after, *pieces])
    return read_step(ids[len(after) :], (), ids[: len(after)], separator, {EOS}, token_bytes)


@pytest.mark.parametrize(
    ("pieces", "n_tokens", "text", "finish", "rest"),
    [
        ([b"So 4", b"\n\n", b"Then"], 2, "So 4", "separator", ""),
        ([b"So 4", b".\n\n", b"Then"], 2, "So 4.", "separator", ""),
        ([b"So 4", b"\n\n\n", b"Then"], 2, "So 4", "separator", "\n"),
        ([b"So 4", b"\n\n\n\nThen", b"\n\n"], 2, "So 4", "separator", "\n\nThen"),
        ([b"So 4", b"\n", b"\n", b"Then"], 3, "So 4", "separator", ""),
        ([b"So 4\n", b"\nThen"], 2, "So 4", "separator", "Then"),
        ([b"\n", b" \n", b"4"], 3, "\n \n4", "length", ""),
        ([b"So 4", b"", b"\n\n"], 2, "So 4", "eos", ""),
        ([b"\n\n"], 1, "", "separator", ""),
        ([b"So \xe2\x82", b"\xac", b"\n\n"], 3, "So €", "separator", ""),
        ([b"So \xe2\x82"], 1, "So ", "length", ""),
        ([b"So \xe2\x82", b"\n\n"], 2, "So �", "separator", ""),
        ([b"So \xe2\x82", b""], 2, "So �", "eos", ""),
        ([b"So", b"\n\n\xe2\x82"], 2, "So", "separator", ""),
    ],
)
def test_where_a_step_ends(pieces: list[bytes], n_tokens: int, text: str, finish: str, rest: str) -> None:
    step = read(pieces)
    assert (len(step.token_ids), step.text, step.finish, step.rest) == (n_tokens, text, finish, rest)


@pytest.mark.parametrize(
    ("after", "text"),
    [
        ([b"So \xe2\x82"], "€"),
        ([b"\xe2", b"\x82"], "€"),
        ([b"\xe2", b"", b"\x82"], "€"),
        ([b"\x82"], "�"),
        ([b"\xac\xe2\x82"], "€"),
    ],
)
def test_a_character_begun_in_the_prefix_is_completed(after: list[bytes], text: str) -> None:
    assert read([b"\xac"], after=after).text == text


def test_a_separator_split_by_the_token_limit_is_found() -> None:
    step = read([b"\x80", b"\x82", b"b"], "。", after=[b"a\xe3"])
    assert (step.text, step.finish, len(step.token_ids)) == ("", "separator", 2)


def test_a_line_break_of_the_prompt_is_not_part_of_a_separator() -> None:
    assert read([b"\n", b"a"], after=[b"assistant\n"]).text == "\na"


def test_every_end_token_ends_a_step_and_log_probs_are_cut_with_it() -> None:
    for end in (7, 9):
        step = read_step((1, 2, end, 3), (-0.1, -0.2, -0.3, -0.4), (5,), "\n\n", (7, 9), lambda id_: b"%d" % id_)
        assert step == Step((1, 2, end), "12", "eos", (-0.1, -0.2, -0.3))


@given(
    st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=40),
    st.lists(st.integers(1, 6), min_size=1, max_size=8),
    st.sampled_from(SEPARATORS),
)
def test_the_steps_of_a_text_are_the_text(ids: list[int], limits: list[int], separator: str) -> None:
    """For any stream of tokens and any limits, ids, texts, separators and rests add up to what was sampled."""
    read_ids: tuple[int, ...] = ()
    text = rest = ""
    steps: list[Step] = []
    while len(read_ids) < len(ids) and (not steps or steps[-1].finish != "eos"):
        limit = limits[len(steps) % len(limits)]
        following = ids[len(read_ids) : len(read_ids) + limit]
        step = read_step(following, (), read_ids, separator, {EOS}, PIECES.__getitem__)
        assert step.token_ids == tuple(following[: len(step.token_ids)])
        assert separator == "" or separator not in step.text
        assert step.finish != "length" or len(step.token_ids) == len(following)
        read_ids += step.token_ids
        text += rest + step.text + (separator if step.finish == "separator" else "")
        rest = step.rest
        steps.append(step)
    written = b"".join(map(PIECES.__getitem__, read_ids))
    whole = written.decode(errors="replace")
    begun = steps[-1].finish != "eos" and whole.endswith("�")
    assert text + rest == whole or (begun and text + rest == whole[:-1])


def test_the_most_likely_tokens_stay_with_their_tokens() -> None:
    tops = tuple(((bytes([65 + i]), -0.5 - i),) for i in range(4))
    spell = {1: b"a", 2: b"\n\n", 3: b"b", 4: b"c", 9: b""}.__getitem__
    step = read_step([1, 2, 3, 4], (-0.1, -0.2, -0.3, -0.4), [9], "\n\n", (), spell, tops)
    assert (step.token_ids, step.log_probs, step.top_log_probs) == ((1, 2), (-0.1, -0.2), tops[:2])
    whole = Step((1, 2, 3, 4), "a\n\nbc", "eos", (-0.1, -0.2, -0.3, -0.4), top_log_probs=tops)
    parts = split_step(whole, "\n\n", spell)
    assert [part.top_log_probs for part in parts] == [tops[:2], tops[2:]]
