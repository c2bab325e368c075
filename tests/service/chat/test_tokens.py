"""The tokens of an answer, whatever characters and steps their bytes belong to."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from epf.core.generator import Step
from epf.search.result import Particle
from epf.service.chat.tokens import MIN_LOG_PROB, Token, covering, n_answer_tokens, pieces, written

EOS = 256


def token_bytes(token_id: int) -> bytes:
    return b"" if token_id == EOS else bytes([token_id])


def particle(*steps: Sequence[int], log_prob: float = -1.0) -> Particle:
    return Particle(tuple(Step(tuple(ids), "", "eos", (log_prob,) * len(ids)) for ids in steps), (), (), True, None, 0.0)


def text_of(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3), st.integers(0, 30))
def test_tokens_cover_exactly_the_text(texts: list[str], length: int) -> None:
    whole = particle(*([*text.encode(), EOS] for text in texts))
    content = "".join(texts)[:length]
    tokens = covering(whole, content, token_bytes)
    assert text_of(tokens) == content
    assert b"".join(token.data for token in tokens).decode() == content
    assert len(tokens) == len(content.encode()) + content_ends_of_steps(texts, length)


def content_ends_of_steps(texts: list[str], length: int) -> int:
    """End tokens of steps that lie before the last character."""
    ends, n_before = 0, 0
    for text in texts:
        n_before += len(text)
        ends += n_before < min(length, len("".join(texts)))
    return ends


@given(st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=6), min_size=1, max_size=3))
def test_characters_that_are_broken_or_cut_between_steps_are_read_as_written(ids: list[list[int]]) -> None:
    content = bytes(byte for step in ids for byte in step).decode(errors="replace")
    tokens = covering(particle(*ids), content, token_bytes)
    assert text_of(tokens) == content
    assert written(particle(*ids), token_bytes) == content


@given(st.text(max_size=60))
def test_pieces_are_whole_tokens_and_add_up(content: str) -> None:
    tokens = covering(particle([*content.encode(), EOS]), content, token_bytes)
    found = pieces(content, tokens)
    assert "".join(text for text, _ in found) == content
    assert [token for _, part in found for token in part] == list(tokens)
    assert all(len(part) <= 16 for _, part in found)


def test_a_token_that_a_stop_cuts_in_two_is_cut_too() -> None:
    words = {0: b"one ", 1: b"two three", 2: b" four"}
    one = Particle((Step((0, 1, 2), "", "eos", (-1.0, -2.0, -3.0)),), (), (), True, None, 0.0)
    tokens = covering(one, "one two", words.__getitem__)
    assert [(token.data, token.text, token.log_prob) for token in tokens] == [(b"one ", "one ", -1.0), (b"two", "two", -2.0)]
    assert n_answer_tokens(one, "one two", (" three",), words.__getitem__) == 2
    assert n_answer_tokens(one, "one two three four", (" five",), words.__getitem__) == 3


def test_tokens_that_do_not_write_the_content_are_one_piece() -> None:
    tokens = covering(particle([65, EOS]), "B", token_bytes)
    assert pieces("B", tokens) == [("B", tokens)]


def test_log_probs_are_numbers_that_json_has() -> None:
    for value, expected in (
        (float("-inf"), MIN_LOG_PROB),
        (float("nan"), MIN_LOG_PROB),
        (-10000.0, MIN_LOG_PROB),
        (-3.0, -3.0),
    ):
        (token,) = covering(particle([65], log_prob=value), "A", token_bytes)
        assert token.log_prob == expected
