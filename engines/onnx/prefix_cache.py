"""Keys and values of token prefixes that several particles share, as a trie of segments.

A node holds one segment (a prompt, or one step) after its parent. Particles with a common prefix share its nodes, and a branch
costs only its own segment. At the byte limit, the least recently used nodes are dropped; they are computed again if needed.

All keys and values are in one array with a slot for each token. Arrays of their own, of all sizes and ages, would leave gaps on
the heap: a server that had answered 10,000 requests had grown by 20 MB more.
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
        places: the slot of each token, ``(len(ids),)``.
        n_bytes: memory of the node: its keys and values, its tokens, and its place in the trie.
        logit: output of a reward model at the segment's last token.
    """

    parent: "Node | None"
    ids: tuple[int, ...]
    end: int
    places: NDArray[np.intp]
    n_bytes: int = 0
    logit: float | None = None
    children: dict[tuple[int, ...], "Node"] = field(default_factory=dict)


class PrefixCache:
    """Longest-prefix lookup in at most ``max_bytes`` of memory, nearly all of it keys and values."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._root = Node(None, (), 0, np.zeros(0, np.intp))
        self._by_use: dict[Node, None] = {}
        self._slots: Floats = np.zeros((0, 0), np.float32)
        self._free: list[int] = []
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

    def content(self, node: Node) -> Floats:
        """Return a copy of the keys and values of a node's segment, ``(layers, 2, heads, len(node.ids), head_dim)``."""
        return np.moveaxis(self._slots[node.places], 0, -2)

    def insert(self, ids: tuple[int, ...], read: Callable[[int, int], Floats]) -> Node:
        """Return the node at which ``ids`` end; what the cache lacks of them becomes one segment, ``read(start, end)``.

        The result of ``read`` is copied. A segment that is larger than the cache is not kept.
        """
        path = self.find(ids)
        parent = path[-1] if path else self._root
        if parent.end == len(ids):
            return parent
        segment = np.moveaxis(read(parent.end, len(ids)), -2, 0)
        n_bytes = segment.nbytes + ID_BYTES * len(segment) + NODE_BYTES
        node = Node(parent, ids[parent.end :], len(ids), self._root.places, n_bytes)
        if not self._make_room(n_bytes, path):
            return node
        node.places = self._take(segment)
        parent.children[node.ids] = node
        self.n_bytes += n_bytes
        self._touch([*path, node])
        return node

    def _take(self, segment: Floats) -> NDArray[np.intp]:
        """Copy keys and values, ``(tokens, layers, 2, heads, head_dim)``, to free slots and return these."""
        if not len(self._slots):
            n_slots = self._max_bytes // segment[0].nbytes
            self._slots = np.empty((n_slots, *segment.shape[1:]), np.float32)
            self._free = list(range(n_slots))[::-1]
        places = np.array([self._free.pop() for _ in range(len(segment))], np.intp)
        self._slots[places] = segment
        return places

    def _touch(self, path: list[Node]) -> None:
        """Mark nodes as used, parents after their children, so that the oldest node is always a leaf."""
        for node in reversed(path):
            self._by_use.pop(node, None)
            self._by_use[node] = None

    def _make_room(self, n_bytes: int, path: list[Node]) -> bool:
        """Drop the oldest nodes until ``n_bytes`` fit, and return whether they do. The nodes of ``path`` are kept."""
        while self.n_bytes + n_bytes > self._max_bytes:
            node = next(iter(self._by_use), None)
            if node is None or node in path:
                return False
            self._drop(node)
        return True

    def _drop(self, node: Node) -> None:
        del self._by_use[node]
        assert node.parent is not None
        del node.parent.children[node.ids]
        self._free.extend(node.places.tolist())
        self.n_bytes -= node.n_bytes
