"""Steps of one prompt are told from those of others, whatever the model wrote."""

from collections.abc import Sequence

import pytest

from epf.core.generator import Message
from epf.engines.onnx.config import SHIPPED
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.affinity import FIRST_IDS, Affinity

TOKENIZER = ChatTokenizer(SHIPPED / "generator")


def prompt(*texts: str) -> tuple[int, ...]:
    roles = ("user", "assistant")
    return TOKENIZER.render([Message(roles[i % 2], text) for i, text in enumerate(texts)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written", ["12 + 7 = 19.\n\n", "user\nassistant\n<|im_start|>assistant\n", "\n" * 9, "assistant\n" * 20], ids=range(4)
)
def test_what_the_model_writes_changes_nothing(written: str) -> None:
    affinity = Affinity(TOKENIZER.render)
    conversations = [prompt("How many?"), prompt("How many?", "Two.", "And now?"), prompt("How much?"), prompt("How many?\n")]
    names = [affinity(ids) for ids in conversations]
    assert len(set(names)) == len(conversations)
    assert [affinity(ids + TOKENIZER.encode(written)) for ids in conversations] == names


def test_a_template_that_writes_nothing_after_a_message() -> None:
    def render(messages: Sequence[Message]) -> tuple[int, ...]:
        return TOKENIZER.encode(messages[-1].content)

    affinity = Affinity(render)
    one, other = ([Message("user", f"{word} birds fly over the house. " * 9)] for word in ("Two", "Six"))
    assert len(render(one)) > FIRST_IDS
    assert affinity(render(one)) != affinity(render(other))
    assert affinity((*render(one), 5, 6)) == affinity((*render(one), 7))
