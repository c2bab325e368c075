"""Text to token ids for a reward model; the text of a problem or a step is always ordinary text.

A step may contain a text that a family uses as a marker (``<extra_0>``, written by the model or by a user who wants a good
score). It is spelled in smaller tokens, so that only the family itself sets step boundaries.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from epf.engines.onnx.config import read_json
from epf.engines.tokenizer import byte_alphabet

MAX_TEXTS_CACHED = 4096


class FamilyTokenizer:
    """Reads ``tokenizer.json`` of a model directory.

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
            raise ValueError(f"{self._directory}: the vocabulary has no token {token!r}, which this family requires.")
        return int(id_)

    def bos_id(self) -> int:
        """Return the id of the beginning-of-sequence token in ``tokenizer_config.json``."""
        token = read_json(self._directory / "tokenizer_config.json").get("bos_token")
        token = token["content"] if isinstance(token, dict) else token
        if not isinstance(token, str):
            raise ValueError(f"{self._directory}/tokenizer_config.json has no bos_token, which this family requires.")
        return self.id_of(token)

    def _text(self, text: str, after: str = "") -> tuple[int, ...]:
        """Token ids of ordinary text; with ``after``, tokenized as the continuation of that text."""
        encoding = self._tokenizer.encode(after + text, add_special_tokens=False)
        ids = [id_ for id_, (start, _) in zip(encoding.ids, encoding.offsets, strict=True) if not after or start >= len(after)]
        return tuple(piece for id_ in ids for piece in self._spellings.get(id_, (id_,)))

    def _as_pieces(self, content: str) -> str:
        """Text in the vocabulary's alphabet, one character for each smallest piece."""
        if self._byte_level:
            return "".join(_ALPHABET[byte] for byte in content.encode())
        return content.replace(" ", "▁")

    def _spell(self, pieces: str) -> tuple[int, ...]:
        ids: list[int] = []
        for piece in pieces:
            id_ = self._tokenizer.token_to_id(piece)
            ids.extend([id_] if id_ is not None else (self.id_of(f"<0x{byte:02X}>") for byte in piece.encode()))
        return tuple(ids)


_ALPHABET = {byte: character for character, byte in byte_alphabet().items()}
