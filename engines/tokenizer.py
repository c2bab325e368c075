"""Text to token ids and back, with the model's chat template."""

import json
import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path

from tokenizers import Tokenizer

from epf.core.bounded_cache import ID_BYTES, BoundedCache, text_bytes
from epf.core.errors import InvalidRequest
from epf.core.generator import Message
from epf.engines.chat_template import ChatTemplate, has_template, named_tokens
from epf.engines.guarded import BYTE_OF, GuardedTokenizer, is_byte_level, normalization, pattern_of, read_tokenizer
from epf.engines.onnx.config import read_json
from epf.engines.plain_marks import PlainMarks

MAX_TEXTS_BYTES = 8 * 2**20
"""Maximum memory of the texts whose tokens are remembered, and of these tokens."""

DIGESTED_IDS = 64
"""Number of leading token ids that identify a prompt if the chat template writes nothing after a message."""


class ChatTokenizer:
    """Reads ``tokenizer.json`` and the chat template of a model directory.

    Only the template produces the tokens that it writes, whether or not the tokenizer's file calls them special: one typed into
    a message is spelled as ordinary text and cannot begin or end a turn.
    """

    def __init__(self, directory: Path) -> None:
        data = read_tokenizer(directory)
        self.template = ChatTemplate(directory)
        original = Tokenizer.from_str(json.dumps(data))
        self._size = int(original.get_vocab_size())
        self._first = tuple(original.encode("").ids)
        self._eos_ids = _end_ids(directory, original)
        self._ids = {str(token["content"]): int(token["id"]) for token in data["added_tokens"]}
        specials = {str(token["content"]) for token in data["added_tokens"] if token["special"]}
        ends = {name for name, id_ in self._ids.items() if id_ in self._eos_ids and name.strip()}
        turn_marks = self.template.turn_marks(self._ids)
        self._turn_end_ids = self._eos_ids | {self._ids[name] for name in turn_marks}
        self._marks = sorted(specials | ends | turn_marks)
        named = set(named_tokens(directory).values())
        reserved = {*self._marks, *self.template.tokens(self._ids), *(self._ids.keys() & named)}
        self._guarded = GuardedTokenizer(data, reserved)
        self._reserved_ids = frozenset(self._ids[name] for name in reserved)
        self._bytes = self._vocabulary_bytes(original.get_vocab(with_added_tokens=True))
        self._mark_pattern, self._reserved_pattern = pattern_of(self._marks), pattern_of(reserved)
        self.plain_marks = PlainMarks((*self.template.between_turns, *self.template.around_system), reserved)
        self._text_pattern = pattern_of(reserved - set(self._marks))
        self._normalize = normalization(data)
        normalized = {
            self._normalize(token["content"]).strip("▁ ") for token in data["added_tokens"] if token["content"] in reserved
        }
        self._normalized_pattern = pattern_of(normalized - {""}) if data.get("normalizer") is not None else None

    @property
    def size(self) -> int:
        """Number of token ids, including special ones."""
        return self._size

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that stand for no text: special tokens, and those that begin or end a turn."""
        return frozenset(self._ids[name] for name in self._marks)

    @property
    def reserved_ids(self) -> frozenset[int]:
        """Ids that no text of a message becomes: those that stand for no text, and others that the template writes."""
        return self._reserved_ids

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end the model's turn according to any of its configuration files."""
        return self._eos_ids

    @property
    def turn_end_ids(self) -> frozenset[int]:
        """Tokens with which a model leaves its turn: in addition, those that begin or end a turn in the chat template."""
        return self._turn_end_ids

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of ordinary text, none of them reserved."""
        return self._guarded.encode(text)

    def sampled_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that the model wrote: where it spells a token that the template writes within a turn, that token.

        Such tokens begin and end thoughts, for example. None of them is one that stands for no text.
        """
        pattern = self._text_pattern
        return self._guarded.encode(pattern.sub(lambda found: self._guarded.written(found[0]), text) if pattern else text)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that the model continues without its chat template, as a server reads it.

        They follow the token with which the model's texts begin, if there is one. Where the text spells a reserved token, it
        has that token: its author may have written the turns of a chat.
        """
        return (*self._first, *self._guarded.encode(self._guarded.written(text)))

    def token_bytes(self, token_id: int) -> bytes:
        """Bytes that a token adds to the text: UTF-8 that may begin or end within a character; empty for special tokens."""
        return self._bytes.get(token_id, b"")

    def prompt_text(self, ids: Sequence[int]) -> str:
        """Return the text that a server tokenizes to ``ids``.

        Reserved tokens are written out, except those that the server puts first by itself.

        Raises:
            InvalidRequest: ordinary tokens spell a reserved one, which the server would read as such.
        """
        n_first = len(self._first)
        sent = ids[n_first:] if tuple(ids[:n_first]) == self._first else ids
        names = {self._ids[name]: name.encode() for name in self._marks}
        text = b"".join(names.get(id_) or self.token_bytes(id_) for id_ in sent).decode(errors="replace")
        reserved = {id_: name for name, id_ in self._ids.items() if id_ in self._reserved_ids}
        written = Counter(reserved[id_] for id_ in sent if id_ in reserved)
        if self._n_reserved(text) != written.total():
            typed = Counter(self._reserved_pattern.findall(text) if self._reserved_pattern else ()) - written
            name = repr(next(iter(typed))) if typed else "a special token of the model"
            message = f"The problem contains {name}, which the generator's server would read as a token of its own. Remove it."
            raise InvalidRequest(message, param="problem")
        return text

    @property
    def special_names(self) -> Collection[str]:
        """How the tokens that stand for no text are spelled."""
        return self._marks

    def before_special(self, text: str) -> str:
        """Return ``text`` up to the first token in it that stands for no text; all of it if it spells none."""
        return self._mark_pattern.split(text, maxsplit=1)[0] if self._mark_pattern else text

    @property
    def forgeable(self) -> Sequence[str]:
        """Names of reserved tokens that are refused in messages, since the vocabulary cannot spell them in other tokens."""
        return self._guarded.forgeable

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
            InvalidRequest: the model's template does not support this conversation, for example its system message, or a
                message contains plain text that begins a turn in this template.
        """
        for message in messages:
            self._check_marks(message.content)
        marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
        turns = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        skeleton = self._guarded.written(self.template.render(turns))
        return self._guarded.encode(re.sub("\ue000([0-9]+)\ue001", lambda found: messages[int(found[1])].content, skeleton))

    def _check_marks(self, content: str) -> None:
        mark = self.plain_marks.first_in(content)
        if mark is not None:
            message = f"A message contains {mark!r}, with which the model's chat template begins a turn. Remove it."
            raise InvalidRequest(message, param="messages")

    def _n_reserved(self, text: str) -> int:
        """How many reserved tokens a server may find in a text, as it is or after normalization."""
        if self._reserved_pattern is None:
            return 0
        as_it_is = len(self._reserved_pattern.findall(text))
        if self._normalized_pattern is None:
            return as_it_is
        return max(as_it_is, len(self._normalized_pattern.findall(self._normalize(text))))

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

    def _vocabulary_bytes(self, vocabulary: Mapping[str, int]) -> dict[int, bytes]:
        """Bytes of each token, except those that stand for no text."""
        bytes_of = from_byte_level if is_byte_level(vocabulary) else from_sentencepiece
        added, marks = set(self._ids.values()), self.special_ids
        return {
            id_: token.encode() if id_ in added else bytes_of(token) for token, id_ in vocabulary.items() if id_ not in marks
        }


class TextTokenizer:
    """Reads ``tokenizer.json`` of a model directory for text without a chat template; the text is always ordinary text.

    A text may contain what a model uses as a marker (``<extra_0>``, written by a generator or by a user who wants a good
    score). It is spelled in smaller tokens, so that only the caller sets markers.

    Args:
        directory: directory of the model or of its tokenizer.
        markers: tokens that never stand for text, in addition to special tokens and those that a chat template writes.

    Raises:
        FileNotFoundError: there is no ``tokenizer.json``.
        ValueError: the vocabulary lacks a marker, or cannot spell it in smaller ones.
    """

    def __init__(self, directory: Path, markers: Iterable[str] = ()) -> None:
        data = read_tokenizer(directory)
        added = {str(token["content"]): token["special"] for token in data["added_tokens"]}
        markers = tuple(markers)
        written = ChatTemplate(directory).tokens(added) if has_template(directory) else frozenset[str]()
        named = {*markers, *named_tokens(directory).values()}
        reserved = {name for name, special in added.items() if special} | written | added.keys() & named
        self._directory = directory
        self._guarded = GuardedTokenizer(data, reserved)
        for marker in markers:
            id_ = self.id_of(marker)
            if marker not in added and not self._guarded.forbid(id_, marker):
                raise ValueError(f"{directory}: the vocabulary cannot spell {marker!r} in smaller tokens.")
        # A trace is tokenized again with every new step; the cache leaves only the new step to tokenize.
        self._texts: BoundedCache[tuple[str, str], tuple[int, ...]] = BoundedCache(
            MAX_TEXTS_BYTES, lambda texts, ids: sum(map(text_bytes, texts)) + ID_BYTES * len(ids)
        )

    def id_of(self, token: str) -> int:
        """Return the id of a token as the vocabulary spells it."""
        id_ = self._guarded.id_of(token)
        if id_ is None:
            raise ValueError(f"{self._directory}: the vocabulary has no token {token!r}, which this model family requires.")
        return id_

    def bos_id(self) -> int:
        """Return the id of the beginning-of-sequence token in ``tokenizer_config.json``."""
        token = named_tokens(self._directory).get("bos_token")
        if not isinstance(token, str):
            raise ValueError(f"{self._directory}/tokenizer_config.json has no bos_token, which this model family requires.")
        return self.id_of(token)

    def text(self, text: str, after: str = "") -> tuple[int, ...]:
        """Token ids of ordinary text; with ``after``, tokenized as the continuation of that text."""
        with suppress(KeyError):
            return self._texts[text, after]
        ids = self._texts[text, after] = self._guarded.encode(after + text, len(after))
        return ids


_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")


def from_byte_level(token: str) -> bytes:
    """Bytes of a token in a byte-level vocabulary."""
    return bytes(BYTE_OF[character] for character in token)


def from_sentencepiece(token: str) -> bytes:
    """Bytes of a token in a vocabulary of characters: spaces are ``▁``, bytes without a character ``<0x0A>``."""
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()


def _id_bytes(ids: Sequence[int]) -> bytes:
    return array("I", ids).tobytes()


def _end_ids(directory: Path, tokenizer: Tokenizer) -> frozenset[int]:
    ends: set[int | None] = {tokenizer.token_to_id(named_tokens(directory).get("eos_token", ""))}
    for name in ("config.json", "generation_config.json"):
        configured = read_json(directory / name).get("eos_token_id") if (directory / name).exists() else None
        ends |= set(configured) if isinstance(configured, list) else {configured}
    return frozenset(end for end in ends if end is not None)
