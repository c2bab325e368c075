"""Chat templates: from a conversation to its text, and which texts mark the turns in it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from epf.core.errors import InvalidRequest
from epf.engines.guarded import pattern_of
from epf.engines.onnx.config import read_json

USER: Final = {"role": "user", "content": "\ue0000\ue001"}
ASSISTANT: Final = {"role": "assistant", "content": "\ue0001\ue001"}
AGAIN: Final = {"role": "user", "content": "\ue0002\ue001"}
SYSTEM: Final = {"role": "system", "content": "\ue0003\ue001"}
CALL: Final = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": {}}}
CALLING: Final = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT: Final = {"role": "tool", "name": "f", "tool_call_id": "abcdefghi", "content": "\ue0004\ue001"}
THOUGHT: Final = {**ASSISTANT, "reasoning_content": "\ue0005\ue001"}
TOOL: Final = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
}

CONVERSATIONS: Final[Sequence[Sequence[Mapping[str, Any]]]] = (
    (USER,),
    (SYSTEM, USER),
    (USER, ASSISTANT),
    (SYSTEM, USER, ASSISTANT, AGAIN),
    (USER, ASSISTANT, AGAIN),
    (USER, THOUGHT, AGAIN),
    (USER, CALLING, RESULT, THOUGHT),
)
"""Conversations that together have whatever a template may write."""

WAYS: Final[Sequence[Mapping[str, Any]]] = (
    {"add_generation_prompt": False},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "enable_thinking": False},
    {"add_generation_prompt": True, "tools": [TOOL]},
)


_MARKER: Final = re.compile(r"<[|｜].+[|｜]>", re.DOTALL)


class ChatTemplate:
    """The template of a model directory.

    Args:
        directory: has ``chat_template.jinja``, or a template in ``tokenizer_config.json``.

    Raises:
        ValueError: it has neither.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "chat_template.jinja"
        self._source = path.read_text(encoding="utf-8") if path.exists() else _configured_template(directory)
        self._environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        named = named_tokens(directory)
        self._begin = named.get("bos_token", "")
        self._environment.globals.update(named, raise_exception=_reject, strftime_now=_now)
        self._template = self._environment.from_string(self._source)

    def render(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Text of a conversation, by default ready for the assistant's first token.

        Raises:
            InvalidRequest: the template rejects it.
        """
        return self._template.render(messages=messages, **{"add_generation_prompt": True, **options})

    def tokens(self, names: Collection[str]) -> frozenset[str]:
        """Which of a tokenizer's added tokens no message may contain: those that the template may write, and their like.

        Blank space is ordinary text wherever it is. The like of a token is what closes it (``</think>``), and all tokens that
        have the form of markers (``<|endoftext|>``), which mean something to the model.
        """
        written = "\n".join((*self._constants(), *self._rendered()))
        found = {name for name in names if name.strip() and (name in written or _MARKER.fullmatch(name))}
        return frozenset(found | {name for name in names if _opening(name) in found})

    def turn_marks(self, names: Collection[str]) -> frozenset[str]:
        """Which of a tokenizer's added tokens begin or end a turn: with one of them, the assistant leaves its own.

        They are what the template writes between the assistant's message and the user's next one, and a token that stands for
        the assistant's role. A plain word is not a mark, nor is what follows the role, which may begin a thought. There are no
        marks where the assistant's header has parts of its own within it: then a turn consists of several messages.
        """
        pattern = pattern_of([name for name in names if name.strip() and not name.isalnum()])
        if pattern is None:
            return frozenset()
        to_assistant, to_user = self.between_turns
        marks, header = pattern.findall(to_user), list(pattern.finditer(to_assistant))
        own = next((i for i, found in enumerate(header) if found[0] not in marks), len(header))
        if any(found[0] in marks for found in header[own:]):
            return frozenset()
        before = pattern.sub("", to_assistant[: header[own].start()]) if own < len(header) else to_assistant
        names_role = own < len(header) and not any(map(str.isalpha, before))
        return frozenset([*marks, *(found[0] for found in header[:own]), *([header[own][0]] if names_role else [])])

    @cached_property
    def between_turns(self) -> tuple[str, str]:
        """What it writes between a user's message and the assistant's, and between that and the user's next message.

        Both are empty if the template takes no such conversation.
        """
        try:
            text = self.render((USER, ASSISTANT, AGAIN), add_generation_prompt=False)
            _, rest = text.split(USER["content"])
            to_assistant, rest = rest.split(ASSISTANT["content"])
            to_user, _ = rest.split(AGAIN["content"])
        except Exception:  # a template may fail in any way, or write a message twice or not at all
            return "", ""
        return to_assistant, to_user

    @cached_property
    def around_system(self) -> tuple[str, str]:
        """What it writes before a system message, and after it without what it writes before a user's message anyway.

        Both are empty if the template takes no system message.
        """
        try:
            before, rest = self.render((SYSTEM, USER), add_generation_prompt=False).split(SYSTEM["content"])
            after, _ = rest.split(USER["content"])
            alone, _ = self.render((USER,), add_generation_prompt=False).split(USER["content"])
        except Exception:  # as above
            return "", ""
        # A token that begins the text stands there only, unless it begins every turn: then it guards this one, too.
        begin = "" if self._begin in self.between_turns[0] else self._begin
        return "\n" + before.removeprefix(begin), after.removesuffix(alone.removeprefix(begin))

    def _constants(self) -> Iterator[str]:
        """Texts in the template, as it would write them."""
        for node in self._environment.parse(self._source).find_all((nodes.TemplateData, nodes.Const)):
            value = node.data if isinstance(node, nodes.TemplateData) else getattr(node, "value", None)
            if isinstance(value, str):
                yield value

    def _rendered(self) -> Iterator[str]:
        for messages in CONVERSATIONS:
            for options in WAYS:
                try:
                    yield self.render(messages, **options)
                except Exception:  # a template may fail in any way on what it does not support
                    continue


def _opening(name: str) -> str:
    """What a closing tag closes: ``<think>`` for ``</think>``."""
    return name[:1] + name[2:] if name[1:2] == "/" else ""


def has_template(directory: Path) -> bool:
    """Whether a directory has a chat template."""
    try:
        ChatTemplate(directory)
    except (ValueError, FileNotFoundError):
        return False
    return True


def named_tokens(directory: Path) -> dict[str, str]:
    """``bos_token`` and ``eos_token`` of the model, if it has them; templates refer to them by these names."""
    path = directory / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    tokens = {name: config.get(name) for name in ("bos_token", "eos_token")}
    texts = {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _reject(reason: str) -> NoReturn:
    """``raise_exception`` of templates."""
    raise InvalidRequest(f"The model's chat template rejects these messages: {reason}", param="messages")


def _now(format_: str) -> str:
    """``strftime_now`` of templates: the date, as in the system prompt of Llama 3."""
    return datetime.now(UTC).strftime(format_)


def _configured_template(directory: Path) -> str:
    """The template in the configuration; if there are several, the one called ``default``."""
    template = read_json(directory / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        template = next((named.get("template") for named in template if named.get("name") == "default"), None)
    if not isinstance(template, str):
        raise ValueError(f"{directory} has no chat template, neither chat_template.jinja nor in tokenizer_config.json.")
    return template
