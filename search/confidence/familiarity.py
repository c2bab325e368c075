"""How much of a problem's wording is known from the problems that a model was trained on.

A text is reduced to a skeleton: frequent words and punctuation stay, numbers become ``#``, other known words ``_`` and unknown
ones ``<?>``. Three tokens in a row that the known problems do not have, or that hold an unknown word, are novel.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

_TOKEN = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")
NUMBER, KNOWN, UNKNOWN, START, END = "#", "_", "<?>", "<s>", "</s>"

MAX_CHARS = 4000
"""Number of characters of a text that are read, from its start."""

N_FREQUENT = 150
MIN_COUNT = 3
"""Known words and triples occur in at least this many of the known problems."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """``n_novel`` of ``n_triples`` triples of a text are novel."""

    n_triples: int
    n_novel: int


@dataclass(frozen=True)
class Wordings:
    """The wordings of known problems.

    Attributes:
        words: every known word, number sign and punctuation mark, the most frequent first.
        triples: every known triple of a skeleton, joined by spaces.
    """

    words: tuple[str, ...]
    triples: frozenset[str]

    @classmethod
    def of(cls, problems: Iterable[str]) -> "Wordings":
        """Collect the wordings of problems."""
        texts = [_tokens(problem) for problem in problems]
        counts = Counter(word for tokens in texts for word in set(tokens))
        words = tuple(word for word, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= MIN_COUNT)
        without = cls(words, frozenset())
        triples = Counter(triple for tokens in texts for triple in set(without._triples(tokens)))
        return cls(words, frozenset(triple for triple, n in triples.items() if n >= MIN_COUNT and UNKNOWN not in triple))

    def novelty(self, problem: str) -> Novelty:
        """Count the novel triples of a problem."""
        triples = list(self._triples(_tokens(problem)))
        return Novelty(len(triples), sum(triple not in self.triples for triple in triples))

    def _triples(self, tokens: list[str]) -> Iterator[str]:
        padded = [START, START, *map(self._masked, tokens), END]
        return map(" ".join, zip(padded, padded[1:], padded[2:], strict=False))

    def _masked(self, token: str) -> str:
        return token if token in self._frequent else KNOWN if token in self._known else UNKNOWN

    @cached_property
    def _frequent(self) -> frozenset[str]:
        return frozenset(self.words[:N_FREQUENT])

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.words)


def _tokens(text: str) -> list[str]:
    return [NUMBER if token.isdigit() else token for token in _TOKEN.findall(text[:MAX_CHARS].lower())]
