"""Steps from a server's text: where it is cut."""

import pytest

from epf.engines.onnx.pairs import STORIES
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.completions import Completion, End
from epf.generators.openai.step_reading import step_of_text

TOKENIZER = ChatTokenizer(STORIES.generator)


@pytest.mark.parametrize(
    ("text", "end", "max_tokens", "step_text", "finish"),
    [
        ("1 + 2 = 3.\n\nThe", "separator", 50, "1 + 2 = 3.", "separator"),
        ("\n\nThe", "separator", 50, "", "separator"),
        ("The answer is 3.", "stop", 50, "The answer is 3.", "eos"),
        ("", "stop", 50, "", "eos"),
        ("The answer", "length", 50, "The answer", "length"),
        ("1 + 2 = 3.", "stop", 3, "1 + 2", "length"),
        ("1 + 2 = 3.\n\nThe", "separator", 3, "1 + 2", "length"),
    ],
)
def test_a_text_is_cut_at_the_separator_and_at_the_limit(
    text: str, end: End, max_tokens: int, step_text: str, finish: str
) -> None:
    step = step_of_text(Completion(text, None, (), end, None), (5,), "\n\n", max_tokens, TOKENIZER)
    assert (step.text, step.finish, step.rest, step.log_probs) == (step_text, finish, "", ())
    assert len(step.token_ids) <= max_tokens
    ending = (min(TOKENIZER.eos_ids),) * (finish == "eos")
    assert step.token_ids == TOKENIZER.encode(step_text + "\n\n" * (finish == "separator")) + ending


def test_without_a_separator_the_text_is_whole() -> None:
    step = step_of_text(Completion("1.\n\n2.", None, (), "stop", None), (5,), "", 50, TOKENIZER)
    assert (step.text, step.finish) == ("1.\n\n2.", "eos")
