"""Text to token ids and back, with the model's chat template."""

import re
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Encoding, Tokenizer

from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.core.off_loop import LONG_CHARS
from epf.engines.onnx.config import read_json

MAX_TEXTS_CACHED = 4096
DIGESTED_IDS = 64
"""Number of leading token ids that identify a prompt if the chat template writes nothing after a message."""


class ChatTokenizer:
    """Reads ``tokenizer.json`` and the chat template of a model directory.

    Only the template produces special tokens: one typed into a message is spelled as ordinary text and cannot end a turn.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "tokenizer.json"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing. This is not a model directory.")
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder()
        self._added = frozenset(added)
        self._specials = {token.content: id_ for id_, token in added.items() if token.special}
        self._bytes = self._vocabulary_bytes()
        self._eos_ids = self._end_ids(directory)
        self._special_pattern = re.compile("(" + "|".join(map(re.escape, self._specials)) + ")") if self._specials else None
        template = directory / "chat_template.jinja"
        source = template.read_text(encoding="utf-8") if template.exists() else _configured_template(directory)
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals.update(_named_tokens(directory), raise_exception=_reject, strftime_now=_now)
        self._template = environment.from_string(source)

    @property
    def size(self) -> int:
        """Number of token ids, including special ones."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that stand for no text."""
        return frozenset(self._specials.values())

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end the model's turn according to any of its configuration files."""
        return self._eos_ids

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of ordinary text."""
        return tuple(_encoded(self._tokenizer, text).ids)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that the model continues without its chat template, as a server reads it.

        They follow the token with which the model's texts begin, if there is one. Where the text spells a special token, it has
        that token: its author may have written the turns of a chat.
        """
        return (*self._tokenizer.encode("").ids, *self._with_specials(text))

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""
        return self._bytes.get(token_id, b"")

    def prompt_text(self, ids: Sequence[int]) -> str:
        """Return the text that a server tokenizes to ``ids``.

        Special tokens are written out, except those that the server puts first by itself.

        Raises:
            InvalidRequest: ordinary tokens spell a special one, which the server would read as such.
        """
        first = self._tokenizer.encode("").ids
        sent = list(ids)[len(first) :] if list(ids[: len(first)]) == first else list(ids)
        names = {id_: name.encode() for name, id_ in self._specials.items()}
        text = b"".join(names.get(id_) or self.token_bytes(id_) for id_ in sent).decode(errors="replace")
        n_special = len(self._special_pattern.findall(text)) if self._special_pattern else 0
        if n_special != sum(id_ in names for id_ in sent):
            raise InvalidRequest("The problem contains a special token of the model. Remove it.", param="problem")
        return text

    @property
    def special_names(self) -> Collection[str]:
        """How special tokens are spelled."""
        return self._specials.keys()

    def before_special(self, text: str) -> str:
        """Return ``text`` up to the first special token that it spells; all of it if it spells none."""
        return self._special_pattern.split(text, maxsplit=1)[0] if self._special_pattern else text

    def ends_prompt(self, prefix_ids: Sequence[int]) -> bool:
        """Whether nothing has been sampled after the prompt, as far as the chat template shows it."""
        data, ending = _id_bytes(prefix_ids), self._prompt_ending
        return bool(ending) and data.endswith(ending)

    def tokens_with(self, text: str) -> tuple[int, ...]:
        """All tokens that contain ``text``, alone or with more around it."""
        data = text.encode()
        return tuple(sorted(id_ for id_, piece in self._bytes.items() if data in piece))

    def render(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Token ids of a conversation, ready for the assistant's first token.

        Raises:
            InvalidRequest: the model's template does not support this conversation, for example its system message.
        """
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        turns = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        skeleton = self._template.render(messages=turns, add_generation_prompt=True)
        fill = partial(re.sub, "\ue000([0-9]+)\ue001", lambda m: messages[int(m[1])].content)
        return tuple(self._with_specials(skeleton, fill))

    def _with_specials(self, text: str, fill: Callable[[str], str] = str) -> Iterator[int]:
        """Token ids of a text with the special tokens that it spells; ``fill`` is applied to the text between them."""
        for piece in self._special_pattern.split(text) if self._special_pattern else [text]:
            if piece in self._specials:
                yield self._specials[piece]
            else:
                yield from self.encode(fill(piece))

    def prompt_digest(self, prefix_ids: Sequence[int]) -> str:
        """Digest of the prompt that a prefix begins with: the same for all steps after that prompt, whatever was sampled.

        A prompt ends with what the chat template writes after the last message, up to the assistant's first token. The model
        never writes that, since it begins with the end of a turn, so its last occurrence is the end of the prompt.
        """
        data, ending = _id_bytes(prefix_ids), self._prompt_ending
        at = data.rfind(ending) if ending else -1
        prompt = data[: at + len(ending)] if at >= 0 else data[: DIGESTED_IDS * array("I").itemsize]
        return blake2b(prompt, digest_size=16).hexdigest()

    @cached_property
    def _prompt_ending(self) -> bytes:
        one, other = (self.render([Message("user", text)])[::-1] for text in ("1", "What?"))
        common = [ids[0] for ids in takewhile(lambda ids: ids[0] == ids[1], zip(one, other, strict=False))]
        return _id_bytes(common[::-1])

    def _vocabulary_bytes(self) -> dict[int, bytes]:
        """Bytes of each token, except special ones."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        byte_level = {"Ġ", "Ċ"} <= vocabulary.keys()
        return {
            id_: token.encode() if id_ in self._added else _byte_level(token) if byte_level else _sentencepiece(token)
            for token, id_ in vocabulary.items()
            if token not in self._specials
        }

    def _end_ids(self, directory: Path) -> frozenset[int]:
        ends: set[int | None] = {self._tokenizer.token_to_id(_named_tokens(directory).get("eos_token", ""))}
        for name in ("config.json", "generation_config.json"):
            configured = read_json(directory / name).get("eos_token_id") if (directory / name).exists() else None
            ends |= set(configured) if isinstance(configured, list) else {configured}
        return frozenset(end for end in ends if end is not None)


def _encoded(tokenizer: Tokenizer, text: str) -> Encoding:
    """The encoding of a text. A long one is encoded as a batch of one: only then are other threads not held up meanwhile."""
    if len(text) < LONG_CHARS:
        return tokenizer.encode(text, add_special_tokens=False)
    (encoding,) = tokenizer.encode_batch([text], add_special_tokens=False)
    return encoding


class TextTokenizer:
    """Reads ``tokenizer.json`` of a model directory for text without a chat template; the text is always ordinary text.

    A text may contain what a model uses as a marker (``<extra_0>``, written by a generator or by a user who wants a good
    score). It is spelled in smaller tokens, so that only the caller sets markers.

    Args:
        directory: directory of the model or of its tokenizer.
        markers: tokens that never stand for text, in addition to the tokenizer's special tokens.

    Raises:
        FileNotFoundError: there is no ``tokenizer.json``.
        ValueError: the vocabulary lacks a marker, or cannot spell a reserved token in smaller ones.
    """

    def __init__(self, directory: Path, markers: Iterable[str] = ()) -> None:
        path = directory / "tokenizer.json"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing. This is not the directory of a model or tokenizer.")
        self._directory = directory
        self._tokenizer = Tokenizer.from_file(str(path))
        self._byte_level = None not in map(self._tokenizer.token_to_id, ("Ġ", "Ċ"))
        added = self._tokenizer.get_added_tokens_decoder()
        reserved = {id_ for id_, token in added.items() if token.special} | set(map(self.id_of, markers))
        # An added token is stored as plain text, one of the learned vocabulary in the vocabulary's own alphabet.
        pieces = {
            id_: self._as_pieces(added[id_].content) if id_ in added else str(self._tokenizer.id_to_token(id_))
            for id_ in reserved
        }
        # A trace is tokenized again with every new step; the cache leaves only the new step to tokenize.
        self.text = lru_cache(maxsize=MAX_TEXTS_CACHED)(self._text)
        self._spellings = {id_: self._spell(piece) for id_, piece in pieces.items() if len(piece) > 1}

    def id_of(self, token: str) -> int:
        """Return the id of a token as the vocabulary spells it."""
        id_ = self._tokenizer.token_to_id(token)
        if id_ is None:
            raise ValueError(f"{self._directory}: the vocabulary has no token {token!r}, which this model family requires.")
        return int(id_)

    def bos_id(self) -> int:
        """Return the id of the beginning-of-sequence token in ``tokenizer_config.json``."""
        token = read_json(self._directory / "tokenizer_config.json").get("bos_token")
        token = token["content"] if isinstance(token, dict) else token
        if not isinstance(token, str):
            raise ValueError(f"{self._directory}/tokenizer_config.json has no bos_token, which this model family requires.")
        return self.id_of(token)

    def _text(self, text: str, after: str = "") -> tuple[int, ...]:
        """Token ids of ordinary text; with ``after``, tokenized as the continuation of that text."""
        encoding = _encoded(self._tokenizer, after + text)
        ids = [id_ for id_, (start, _) in zip(encoding.ids, encoding.offsets, strict=True) if not after or start >= len(after)]
        return tuple(piece for id_ in ids for piece in self._spellings.get(id_, (id_,)))

    def _as_pieces(self, content: str) -> str:
        """Text in the vocabulary's alphabet, one character for each smallest piece."""
        if self._byte_level:
            return "".join(_CHARACTER_OF[byte] for byte in content.encode())
        return content.replace(" ", "▁")

    def _spell(self, pieces: str) -> tuple[int, ...]:
        ids: list[int] = []
        for piece in pieces:
            id_ = self._tokenizer.token_to_id(piece)
            ids.extend([id_] if id_ is not None else (self.id_of(f"<0x{byte:02X}>") for byte in piece.encode()))
        return tuple(ids)


def _byte_alphabet() -> dict[str, int]:
    """Byte of each character in which byte-level BPE writes tokens: printable bytes are themselves, others follow 255."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
_CHARACTER_OF = {byte: character for character, byte in _BYTE_OF.items()}
_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")


def _byte_level(token: str) -> bytes:
    return bytes(_BYTE_OF[character] for character in token)


def _sentencepiece(token: str) -> bytes:
    """Bytes of a token in a vocabulary of characters: spaces are ``▁``, bytes without a character ``<0x0A>``."""
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()


def _id_bytes(ids: Sequence[int]) -> bytes:
    return array("I", ids).tobytes()


def _named_tokens(directory: Path) -> dict[str, str]:
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
