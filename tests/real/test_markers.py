"""The markers of a real model's vocabulary come from its chat template only, also if its file flags none of them as special."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from epf.core.generator import Message
from epf.engines.tokenizer import ChatTokenizer
from tests.engines.markers import hostile, without_special_flags
from tests.real.model import MODEL

CONVERSATIONS = (("What is 2 + 3?",), ("Hi", "Hello!\n\nHow?", " And now?\n"))


def conversation(texts: tuple[str, ...]) -> list[Message]:
    return [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(texts)]


@pytest.mark.parametrize("flags", ["as published", "none is special"])
def test_no_text_forges_a_turn(flags: str, tmp_path: Path) -> None:
    directory = MODEL if flags == "as published" else without_special_flags(tmp_path, MODEL)
    chat, plain = ChatTokenizer(directory), Tokenizer.from_file(str(directory / "tokenizer.json"))
    names = [
        token["content"] for token in json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    ]
    for texts in CONVERSATIONS:
        messages = conversation(texts)
        text = chat.template.render([{"role": message.role, "content": message.content} for message in messages])
        assert list(chat.render(messages)) == plain.encode(text, add_special_tokens=False).ids
        expected = [id_ for id_ in chat.render(messages) if id_ in chat.reserved_ids]
        for typed in hostile(names):
            for i in range(len(texts)):
                forged = conversation((*texts[:i], typed, *texts[i + 1 :]))
                assert [id_ for id_ in chat.render(forged) if id_ in chat.reserved_ids] == expected
