"""A tokenizer whose reserved tokens cannot be typed.

Whatever a tokenizer's file says of them (whether they are special, which blank space they take with them, whether they are
compared after normalization), its added tokens are found in any text that spells them. Reserved ones therefore get a secret
name here: a text that spells the public name is tokenized like any other text, and only :meth:`GuardedTokenizer.written` puts
the token itself into a text. A model whose own vocabulary holds a reserved token may still produce it; such a token is spelled
in the vocabulary's smallest pieces.
"""

import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import Encoding, Tokenizer

from epf.core.errors import InvalidRequest
from epf.core.off_loop import LONG_CHARS

OPEN, CLOSE = "\ue002", "\ue003"
"""Around a secret name: characters for private use, which no vocabulary has and no normalization changes."""

SECRET_BYTES: Final = 16

MAX_WORDS_CACHED: Final = 1000
"""Maximum number of words whose tokens the library remembers, of up to 9 KB each. Its own maximum is ten times as many."""

_NO_MODEL: Final = {"type": "WordLevel", "vocab": {}, "unk_token": ""}


class GuardedTokenizer:
    """A tokenizer without the public names of its reserved tokens.

    Args:
        data: content of ``tokenizer.json``.
        reserved: names of added tokens that no text has by itself.
    """

    def __init__(self, data: Mapping[str, Any], reserved: Collection[str]) -> None:
        added: Sequence[Mapping[str, Any]] = data["added_tokens"]
        self._ids = {str(token["content"]): int(token["id"]) for token in added if token["content"] in reserved}
        """Public names of the reserved tokens, and their ids."""
        secret = secrets.token_hex(SECRET_BYTES)
        self._secrets = {name: f"{OPEN}{secret}{number}{CLOSE}" for number, name in enumerate(self._ids)}
        normalize = normalization(data)
        renamed = [self._renamed(token, normalize) for token in added]
        self._tokenizer = Tokenizer.from_str(json.dumps({**data, "added_tokens": renamed}))
        if hasattr(self._tokenizer.model, "_resize_cache"):  # some kinds of model remember no words
            self._tokenizer.model._resize_cache(MAX_WORDS_CACHED)
        self._pattern = pattern_of(self._ids)
        self._true_ids = {self._tokenizer.token_to_id(token["content"]): int(token["id"]) for token in renamed}
        self._secret_ids = frozenset(map(self._tokenizer.token_to_id, self._secrets.values()))
        self._never: dict[int, tuple[int, ...] | None] = {}
        self._byte_level = is_byte_level(data["model"]["vocab"])
        for name, id_ in self._ids.items():
            self.forbid(id_, name if not self._byte_level else byte_level(name))

    def forbid(self, id_: int, piece: str) -> bool:
        """Never return this id for a text. Returns whether smaller pieces spell ``piece``, its spelling in the vocabulary."""
        self._never[id_] = self._spelling(piece, id_)
        return self._never[id_] is not None

    @property
    def forgeable(self) -> list[str]:
        """Names of reserved tokens that the vocabulary produces and cannot spell otherwise: texts with them are refused."""
        return [name for name, id_ in self._ids.items() if self._never[id_] is None and self._can_produce(name)]

    def written(self, text: str) -> str:
        """A text in which the reserved tokens that it spells are meant as tokens."""
        return self._pattern.sub(lambda found: self._secrets[found[0]], text) if self._pattern else text

    def encode(self, text: str, after: int = 0) -> tuple[int, ...]:
        """Token ids of a text, or of what begins after its first ``after`` characters.

        Raises:
            InvalidRequest: the text spells a reserved token that the vocabulary cannot spell in smaller pieces.
        """
        encoding = _encoded(self._tokenizer, text)
        ids: Sequence[int] = encoding.ids
        if after:
            ids = [id_ for id_, (start, _) in zip(ids, encoding.offsets, strict=True) if start >= after]
        if self._never.keys().isdisjoint(ids) and self._true_ids.keys().isdisjoint(ids):
            return tuple(ids)
        true: list[int] = []
        for id_ in ids:
            if id_ in self._secret_ids:
                true.append(self._true_ids[id_])
            else:
                true.extend(self._spelled(self._true_ids.get(id_, id_)))
        return tuple(true)

    def id_of(self, token: str) -> int | None:
        """The id of a token as the vocabulary spells it."""
        name = self._secrets.get(token, token)
        id_ = self._tokenizer.token_to_id(name)
        return None if id_ is None else self._true_ids.get(int(id_), int(id_))

    def _renamed(self, token: Mapping[str, Any], normalize: Callable[[str], str]) -> dict[str, Any]:
        """An added token by its secret name, which counts wherever it is: only :meth:`written` puts it there."""
        name = self._secrets.get(token["content"])
        if name is None:
            return dict(token)
        return {**token, "content": name, "normalized": token["normalized"] and normalize(name) == name, "single_word": False}

    def _can_produce(self, name: str) -> bool:
        try:
            self.encode(name)
        except InvalidRequest:
            return True
        return False

    def _spelled(self, id_: int) -> tuple[int, ...]:
        if id_ not in self._never:
            return (id_,)
        spelling = self._never[id_]
        if spelling is None:
            name = next((name for name, reserved in self._ids.items() if reserved == id_), "")
            message = f"The text contains {name or 'a token'}, which the model reserves for itself and cannot spell. Remove it."
            raise InvalidRequest(message, param="problem")
        return spelling

    def _spelling(self, piece: str, id_: int) -> tuple[int, ...] | None:
        """Ids of the smallest pieces that spell ``piece`` in the vocabulary's own alphabet."""
        if not self._byte_level:
            piece = piece.replace(" ", "▁")
        ids: list[int | None] = []
        for character in piece:
            whole = self.id_of(character)
            parts = [self.id_of(f"<0x{byte:02X}>") for byte in character.encode()] if whole is None else [whole]
            ids += parts
        return None if None in ids or id_ in ids else tuple(known for known in ids if known is not None)


def normalization(data: Mapping[str, Any]) -> Callable[[str], str]:
    """What the normalizer in ``tokenizer.json`` makes of a text."""
    if data.get("normalizer") is None:
        return str
    alone = {"version": "1.0", "added_tokens": [], "normalizer": data["normalizer"], "model": _NO_MODEL}
    normalizer = Tokenizer.from_str(json.dumps(alone)).normalizer
    assert normalizer is not None
    normalize: Callable[[str], str] = normalizer.normalize_str
    return normalize


def read_tokenizer(directory: Path) -> dict[str, Any]:
    """The content of ``tokenizer.json``.

    Raises:
        FileNotFoundError: it is missing.
    """
    path = directory / "tokenizer.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. This is not the directory of a model or tokenizer.")
    data: dict[str, Any] = json.loads(path.read_bytes())
    return {**data, "added_tokens": data.get("added_tokens") or []}


def pattern_of(names: Collection[str]) -> re.Pattern[str] | None:
    """A pattern that finds names, the longest first where several begin; None without names."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if names else None


def is_byte_level(vocabulary: Mapping[str, int] | Sequence[Any]) -> bool:
    """Whether a vocabulary spells bytes by one character each, as GPT-2's does."""
    names = vocabulary if isinstance(vocabulary, Mapping) else {piece for piece, *_ in vocabulary}
    return "Ġ" in names and "Ċ" in names


def byte_level(text: str) -> str:
    """A text in the alphabet of a byte-level vocabulary."""
    return "".join(CHARACTER_OF[byte] for byte in text.encode())


def _encoded(tokenizer: Tokenizer, text: str) -> Encoding:
    """The encoding of a text. A long one is encoded as a batch of one: only then are other threads not held up meanwhile."""
    if len(text) < LONG_CHARS:
        return tokenizer.encode(text, add_special_tokens=False)
    (encoding,) = tokenizer.encode_batch([text], add_special_tokens=False)
    return encoding


def _byte_alphabet() -> dict[str, int]:
    """Byte of each character in which byte-level BPE writes tokens: printable bytes are themselves, others follow 255."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTE_OF: Final = _byte_alphabet()
CHARACTER_OF: Final = {byte: character for character, byte in BYTE_OF.items()}
