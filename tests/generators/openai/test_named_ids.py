"""Token ids that a server names in its log probabilities, some of which llama.cpp leaves out."""

import pytest

from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.completions import Completion
from epf.generators.openai.step_reading import named_ids, step_of_text

TOKENIZER = ChatTokenizer(STORIES.generator)
EMOJI = TOKENIZER.encode("🍎")
PROMPT = TOKENIZER.encode("1")


def completed(*pieces: tuple[str, tuple[int, ...]]) -> Completion:
    ids = tuple(id_ for _, named in pieces for id_ in named)
    text = "".join(text for text, _ in pieces)
    return Completion(text, None, (-0.5,) * len(ids), "length", None, ids, pieces)


def events(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """An event for each token, as llama.cpp sends them: a character of several tokens comes with the last one."""
    found: list[tuple[str, tuple[int, ...]]] = []
    waiting = b""
    for id_ in TOKENIZER.encode(text):
        waiting += TOKENIZER.token_bytes(id_)
        if "\ufffd" not in waiting.decode(errors="replace"):
            found.append((waiting.decode(), (id_,)))
            waiting = b""
    return found


@pytest.mark.parametrize("text", ["4 + 5 = 9.", "🍎", "3 🍎🍎 and 2 👩‍👩‍👧", "日本 = 7.\n\nÜber 🌧️", "🍎\n\n"])
def test_tokens_that_are_not_named_are_found_again(text: str) -> None:
    pieces = events(text)
    assert sum(len(named) for _, named in pieces) < len(TOKENIZER.encode(text)) or text.isascii()
    assert named_ids(completed(*pieces), TOKENIZER) == TOKENIZER.encode(text)


def test_ids_that_the_model_chose_stay_next_to_characters_that_are_found_again() -> None:
    """A text would be tokenized anew as a whole, and two line ends as the one token that the model did not choose."""
    (line_end,) = TOKENIZER.encode("\n")
    completion = completed(("🍎", EMOJI[-1:]), ("\n", (line_end,)), ("\n", (line_end,)))
    step = step_of_text(completion, PROMPT, "\n\n", 20, TOKENIZER)
    assert (step.token_ids, step.text, step.finish) == ((*EMOJI, line_end, line_end), "🍎", "separator")
    assert step.log_probs == ()  # that of the first tokens of the emoji is unknown


def test_a_step_is_cut_within_a_character() -> None:
    step = step_of_text(completed(*events("🍎🍎")), PROMPT, "\n\n", len(EMOJI) + 1, TOKENIZER)
    assert (step.token_ids, step.finish) == ((*EMOJI, EMOJI[0]), "length")


def test_a_step_begins_within_a_character() -> None:
    """A server shows the rest of a character as replacements, one for each token."""
    rest = EMOJI[1:]
    completion = completed(*(("\ufffd", (id_,)) for id_ in rest), ("7", TOKENIZER.encode("7")))
    assert named_ids(completion, TOKENIZER) == (*rest, *TOKENIZER.encode("7"))


def test_by_text_a_step_is_cut_before_a_character_that_has_no_room() -> None:
    text = Completion("7🍎🍎", None, (), "length", None)
    for room in range(len(EMOJI)):
        step = step_of_text(text, PROMPT, "\n\n", 1 + len(EMOJI) + room, TOKENIZER)
        assert (step.token_ids, step.finish) == ((*TOKENIZER.encode("7"), *EMOJI), "length")
    assert step_of_text(Completion("🍎", None, (), "length", None), PROMPT, "\n\n", 1, TOKENIZER).token_ids == EMOJI[:1]


@pytest.mark.parametrize("named", [EMOJI[:1], TOKENIZER.encode("7"), ()])
def test_ids_that_do_not_spell_the_text_are_not_taken(named: tuple[int, ...]) -> None:
    assert named_ids(completed(("🍎", named)), TOKENIZER) is None
