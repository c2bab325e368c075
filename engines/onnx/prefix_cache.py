"""Keys and values of token prefixes that several particles share, as a trie of segments.

A node holds one segment (a prompt, or one step) after its parent. Particles with a common prefix share its nodes, and a branch
costs only its own segment. At the byte limit, the least recently used nodes are dropped; they are computed again if needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from epf.core.bounded_cache import ID_BYTES

Floats = NDArray[np.float32]

NODE_BYTES = 1024
"""Approximate memory of a node without keys, values and tokens: an object, an array's head, dictionaries."""


@dataclass(eq=False, slots=True)
class Node:
    """One segment of a prefix.

    Attributes:
        ids: tokens of this segment.
        end: length of the whole prefix, including this segment.
        cache: keys and values of the segment, ``(layers, 2, heads, len(ids), head_dim)``.
        logit: output of a reward model at the segment's last token.
    """

    parent: "Node | None"
    ids: tuple[int, ...]
    end: int
    cache: Floats
    logit: float | None = None
    children: dict[tuple[int, ...], "Node"] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Memory of the node: its keys and values, its tokens, and its place in the trie."""
        return self.cache.nbytes + ID_BYTES * len(self.ids) + NODE_BYTES


class PrefixCache:
    """Longest-prefix lookup in at most ``max_bytes`` of memory, nearly all of it keys and values."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._root = Node(None, (), 0, np.zeros(0, np.float32))
        self._by_use: dict[Node, None] = {}
        self.n_bytes = 0

    def find(self, ids: tuple[int, ...]) -> list[Node]:
        """Return the nodes of the longest cached prefix of ``ids``, in order, and mark them as used."""
        path: list[Node] = []
        node = self._root
        while True:
            lengths = sorted({len(segment) for segment in node.children}, reverse=True)
            matches = (node.children.get(ids[node.end : node.end + length]) for length in lengths)
            child = next((match for match in matches if match is not None), None)
            if child is None:
                break
            path.append(child)
            node = child
        self._touch(path)
        return path

    def insert(self, ids: tuple[int, ...], read: Callable[[int, int], Floats]) -> Node:
        """Return the node at which ``ids`` end; what the cache lacks of them becomes one segment, ``read(start, end)``."""
        path = self.find(ids)
        parent = path[-1] if path else self._root
        if parent.end == len(ids):
            return parent
        node = Node(parent, ids[parent.end :], len(ids), read(parent.end, len(ids)))
        parent.children[node.ids] = node
        self.n_bytes += node.n_bytes
        self._touch([*path, node])
        while self.n_bytes > self._max_bytes:
            self._drop_oldest()
        return node

    def _touch(self, path: list[Node]) -> None:
        """Mark nodes as used, parents after their children, so that the oldest node is always a leaf."""
        for node in reversed(path):
            self._by_use.pop(node, None)
            self._by_use[node] = None

    def _drop_oldest(self) -> None:
        node = next(iter(self._by_use))
        del self._by_use[node]
        assert node.parent is not None
        del node.parent.children[node.ids]
        self.n_bytes -= node.n_bytes
