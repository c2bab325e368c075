"""Text to token ids and back, with the model's chat template."""

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from embedded.config import read_json
from generators.protocol import Message


class ChatTokenizer:
    """Reads ``tokenizer.json`` and the chat template of a model directory.

    Only the template makes special tokens: one typed into a message is spelled out as ordinary text and cannot end a turn.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "tokenizer.json"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: not a model directory")
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder()
        self._added = frozenset(added)
        self._specials = {token.content: id_ for id_, token in added.items() if token.special}
        self._special_pattern = re.compile("(" + "|".join(map(re.escape, self._specials)) + ")") if self._specials else None
        template = directory / "chat_template.jinja"
        source = template.read_text(encoding="utf-8") if template.exists() else _configured_template(directory)
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals.update(_named_tokens(directory))
        self._template = environment.from_string(source)

    @property
    def size(self) -> int:
        """Number of token ids, special ones included."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that stand for no text."""
        return frozenset(self._specials.values())

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of ordinary text."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special ones left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def token_bytes(self, token_id: int) -> bytes:
        """What one token adds to the text, UTF-8 that may begin or end within a character; nothing for a special token."""
        token = self._tokenizer.id_to_token(token_id)
        if token is None or token in self._specials:
            return b""
        if token_id in self._added:
            return token.encode()
        return bytes(_BYTE_OF[character] for character in token)

    def render(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Token ids of a conversation, ready for the assistant's first token."""
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        turns = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        skeleton = self._template.render(messages=turns, add_generation_prompt=True)
        pieces = self._special_pattern.split(skeleton) if self._special_pattern else [skeleton]
        ids: list[int] = []
        for piece in pieces:
            if piece in self._specials:
                ids.append(self._specials[piece])
            else:
                ids.extend(self.encode(re.sub("\ue000([0-9]+)\ue001", lambda m: messages[int(m[1])].content, piece)))
        return tuple(ids)


def byte_alphabet() -> dict[str, int]:
    """Byte of each character in which byte-level BPE writes its tokens: printable bytes are themselves, others follow 255."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = byte_alphabet()


def _named_tokens(directory: Path) -> dict[str, str]:
    """``bos_token`` and ``eos_token`` of a model that has them: templates write them by these names."""
    path = directory / "tokenizer_config.json"
    config = read_json(path) if path.exists() else {}
    tokens = {name: config.get(name) for name in ("bos_token", "eos_token")}
    texts = {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _configured_template(directory: Path) -> str:
    template = read_json(directory / "tokenizer_config.json").get("chat_template")
    if not isinstance(template, str):
        raise ValueError(f"{directory} has no chat template, neither chat_template.jinja nor in tokenizer_config.json")
    return template
