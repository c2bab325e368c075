"""Keys and values of token prefixes that several particles share, as a trie of segments.

A node holds one segment (a prompt, or one step) after its parent. Particles that share a prefix share its nodes; a branch costs
its own segment only. The least recently used nodes go when the byte limit is reached; whoever misses them computes them again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(eq=False, slots=True)
class Node:
    """One segment of a prefix.

    Attributes:
        ids: tokens of this segment.
        end: length of the whole prefix up to and with this segment.
        cache: keys and values of the segment, ``(layers, 2, heads, len(ids), head_dim)``.
        logit: what a reward model said at the segment's last token.
    """

    parent: "Node | None"
    ids: tuple[int, ...]
    end: int
    cache: Floats
    logit: float | None = None
    children: dict[tuple[int, ...], "Node"] = field(default_factory=dict)


class PrefixCache:
    """Longest-prefix lookup over at most ``max_bytes`` of keys and values."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._root = Node(None, (), 0, np.zeros(0, np.float32))
        self._by_use: dict[Node, None] = {}
        self.n_bytes = 0

    def find(self, ids: tuple[int, ...]) -> list[Node]:
        """Nodes of the longest cached prefix of ``ids``, in order; empty if there is none. Marks them as used."""
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
        """The node at which ``ids`` end; what is missing of them becomes one segment, ``read(start, end)``."""
        path = self.find(ids)
        parent = path[-1] if path else self._root
        if parent.end == len(ids):
            return parent
        node = Node(parent, ids[parent.end :], len(ids), read(parent.end, len(ids)))
        parent.children[node.ids] = node
        self.n_bytes += node.cache.nbytes
        self._touch([*path, node])
        while self.n_bytes > self._max_bytes:
            self._drop_oldest()
        return node

    def _touch(self, path: list[Node]) -> None:
        """Mark as used, parents after their children: so the oldest node is always a leaf."""
        for node in reversed(path):
            self._by_use.pop(node, None)
            self._by_use[node] = None

    def _drop_oldest(self) -> None:
        node = next(iter(self._by_use))
        del self._by_use[node]
        assert node.parent is not None
        del node.parent.children[node.ids]
        self.n_bytes -= node.cache.nbytes
