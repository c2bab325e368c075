"""Results that are kept within a number of bytes, whatever their number."""

import sys
import threading
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

ENTRY_BYTES: Final = 320
"""What an entry costs in addition to its key and its value: places in two dictionaries, a pair, numbers."""

ID_BYTES: Final = 40
"""A token id in a tuple: the reference and the integer."""


def text_bytes(text: str) -> int:
    """Memory of a text. One character takes up to four bytes."""
    return sys.getsizeof(text)


class BoundedCache(Generic[Key, Value]):
    """The latest results by use, of at most ``max_bytes`` in all; a single larger one is not kept. Any thread may use it.

    Args:
        max_bytes: maximum size of all entries.
        n_bytes: returns the approximate memory of a key and its value together.
    """

    def __init__(self, max_bytes: int, n_bytes: Callable[[Key, Value], int]) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = n_bytes
        self._lock = threading.Lock()
        self._kept: LRUCache[Key, tuple[Value, int]] = LRUCache(max_bytes, getsizeof=itemgetter(1))

    @property
    def n_bytes(self) -> int:
        """Approximate memory of all entries."""
        return int(self._kept.currsize)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._kept

    def __getitem__(self, key: Key) -> Value:
        """The result for a key, which is now the latest. Raises ``KeyError`` if it is not kept."""
        with self._lock:
            return self._kept[key][0]

    def __setitem__(self, key: Key, value: Value) -> None:
        """Keep a result, and drop those that were not used for longest."""
        n_bytes = ENTRY_BYTES + self._n_bytes(key, value)
        with self._lock:
            if n_bytes <= self._max_bytes:
                self._kept[key] = (value, n_bytes)
            else:
                self._kept.pop(key, None)
