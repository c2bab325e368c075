"""What a generator reads before a conversation, with real tokenizers and the chat templates of several models."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.core.generator import Generator, Message, plain_prompt_ids
from epf.evaluation.memo import MemoGenerator
from epf.generators.embedded import EmbeddedGenerator
from epf.generators.prompting import DEFAULT_SYSTEM_PROMPT, PromptingGenerator
from epf.generators.registry import GeneratorOptions, load_generator
from epf.search.runner import render
from tests.generators.openai.completions_server import completions_app
from tests.service.serving import served
from tests.tiny_model import CHAT_TEMPLATE, write_model

CONTEXT = 512
QUESTION = Message("user", "How many birds?")
OWN = Message("system", "Be brief.")
EXAMPLE = (Message("user", "1 + 1?"), Message("assistant", "2."))

REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHAT_TEMPLATE
)
"""Like Gemma's."""
FAILS = "{{ {'user': 1, 'assistant': 2}[messages[0]['role']] | abs }}" + CHAT_TEMPLATE
DROPS = CHAT_TEMPLATE.replace("{% for message in messages %}", "{% for message in messages if message.role != 'system' %}")


def text_of(ids: tuple[int, ...], generator: Generator) -> str:
    return b"".join(map(generator.token_bytes, ids)).decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny", "generator")
    config = tmp_path / "tiny" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": CONTEXT}), encoding="utf-8")
    return tmp_path / "tiny"


@pytest.fixture
def inner(directory: Path) -> Iterator[EmbeddedGenerator]:
    generator = EmbeddedGenerator(directory)
    yield generator
    asyncio.run(generator.aclose())


def with_template(directory: Path, template: str) -> EmbeddedGenerator:
    (directory / "chat_template.jinja").write_text(template, encoding="utf-8")
    return EmbeddedGenerator(directory)


def test_the_system_prompt_and_the_examples_precede_the_conversation(inner: EmbeddedGenerator) -> None:
    prompted = PromptingGenerator(inner, "Box it.", EXAMPLE)
    assert prompted.prompt_ids([QUESTION]) == inner.prompt_ids([Message("system", "Box it."), *EXAMPLE, QUESTION])
    turns = [QUESTION, Message("assistant", "Two."), Message("user", "And now?")]
    assert prompted.prompt_ids(turns) == inner.prompt_ids([Message("system", "Box it."), *EXAMPLE, *turns])


@pytest.mark.parametrize("turns", [[OWN, QUESTION], [QUESTION, OWN, QUESTION], [OWN, OWN, QUESTION]])
def test_a_system_message_of_the_conversation_wins(inner: EmbeddedGenerator, turns: list[Message]) -> None:
    assert PromptingGenerator(inner, "Box it.").prompt_ids(turns) == inner.prompt_ids(turns)


def test_examples_follow_the_conversation_s_own_system_message(inner: EmbeddedGenerator) -> None:
    assert PromptingGenerator(inner, "Box it.", EXAMPLE).prompt_ids([OWN, QUESTION]) == inner.prompt_ids(
        [OWN, *EXAMPLE, QUESTION]
    )


def test_an_empty_system_prompt_leaves_the_conversation_as_it_is(inner: EmbeddedGenerator) -> None:
    assert PromptingGenerator(inner, "").prompt_ids([QUESTION]) == inner.prompt_ids([QUESTION])


@pytest.mark.parametrize("template", [REFUSES, FAILS, DROPS])
@pytest.mark.parametrize("examples", [(), EXAMPLE])
def test_a_template_without_system_messages_reads_them_in_the_first_message_of_the_user(
    directory: Path, template: str, examples: tuple[Message, ...]
) -> None:
    inner = with_template(directory, template)
    prompted = PromptingGenerator(inner, "Box it.", examples)
    written = text_of(prompted.prompt_ids([QUESTION]), inner)
    first = (examples or (QUESTION,))[0].content
    assert f"user\nBox it.\n\n{first}" in written
    assert written.count("Box it.") == 1
    assert f"user\nBe brief.\n\n{first}" in text_of(prompted.prompt_ids([OWN, QUESTION]), inner)
    asyncio.run(prompted.aclose())


def test_a_plain_prompt_has_neither_whatever_wraps_the_generator(inner: EmbeddedGenerator) -> None:
    for generator in (
        inner,
        PromptingGenerator(inner, "Box it.", EXAMPLE),
        MemoGenerator(PromptingGenerator(inner, "Box it.")),
    ):
        assert plain_prompt_ids(generator, [QUESTION]) == inner.prompt_ids([QUESTION])


@pytest.mark.parametrize(
    ("system_prompt", "prompt", "rendered"),
    [
        (None, (), [Message("system", "Box it."), *EXAMPLE, QUESTION]),
        ("Think.", (), [Message("system", "Think."), *EXAMPLE, QUESTION]),
        ("Think.", (OWN, QUESTION), [OWN, *EXAMPLE, QUESTION]),
        ("", (), [QUESTION]),
        (" ", (OWN, QUESTION), [OWN, QUESTION]),
    ],
)
def test_the_option_of_a_search_replaces_the_system_prompt_of_the_settings(
    inner: EmbeddedGenerator, system_prompt: str | None, prompt: tuple[Message, ...], rendered: list[Message]
) -> None:
    prompted = PromptingGenerator(inner, "Box it.", EXAMPLE)
    assert render(prompt or (QUESTION,), system_prompt, prompted) == inner.prompt_ids(rendered)


def test_settings_choose_what_a_server_s_model_reads(directory: Path, tmp_path: Path) -> None:
    examples = tmp_path / "examples.jsonl"
    examples.write_text(json.dumps({"problem": "1 + 1?", "solution": "2."}) + "\n", encoding="utf-8")

    async def rendered(url: str, messages: Sequence[Message], **more: Any) -> str:
        options = GeneratorOptions.model_validate({"kind": "openai", "url": url, "tokenizer": directory, **more})
        async with aclosing(await asyncio.to_thread(load_generator, options)) as generator:
            return text_of(generator.prompt_ids(messages), generator)

    async def main() -> None:
        async with served(completions_app(directory, by_ids=True)) as (host, port):
            url = f"http://{host}:{port}"
            own = {"system_prompt": "Box it.", "examples": examples}
            plain = await rendered(url, [QUESTION], system_prompt="")
            assert DEFAULT_SYSTEM_PROMPT in await rendered(url, [QUESTION])
            assert plain == text_of(bare.prompt_ids([QUESTION]), bare)
            assert await rendered(url, [QUESTION], **own) == text_of(
                bare.prompt_ids([Message("system", "Box it."), *EXAMPLE, QUESTION]), bare
            )
            with pytest.raises(InvalidRequest, match=rf"have 6\d\d tokens, and the context of tiny has {CONTEXT}") as caught:
                await rendered(url, [QUESTION], system_prompt="a" * 600)
            assert caught.value.param == "generator.examples"

    bare = EmbeddedGenerator(directory)
    asyncio.run(asyncio.wait_for(main(), 60))
    asyncio.run(bare.aclose())


@pytest.mark.parametrize("option", [{"system_prompt": "Box it."}, {"examples": "examples.jsonl"}])
def test_the_embedded_generator_refuses_prompts(option: dict[str, str]) -> None:
    (name,) = option
    with pytest.raises(InvalidRequest, match=rf"generator\.{name} .* has no effect") as caught:
        GeneratorOptions.model_validate(option)
    assert caught.value.param == f"generator.{name}"
