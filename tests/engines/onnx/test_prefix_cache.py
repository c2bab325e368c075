"""The prefix cache finds and shares what was inserted, and drops the least recently used leaf first."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from epf.core.bounded_cache import ID_BYTES
from epf.engines.onnx.prefix_cache import NODE_BYTES, Floats, PrefixCache

BYTES_PER_TOKEN = 4


def size(n_nodes: int, n_tokens: int) -> int:
    return n_nodes * NODE_BYTES + n_tokens * (BYTES_PER_TOKEN + ID_BYTES)


def reader(ids: tuple[int, ...]) -> Callable[[int, int], Floats]:
    """Return a reader of keys and values in which the key of a token is its id."""
    return lambda start, end: np.array(ids[start:end], np.float32).reshape(1, 1, 1, end - start, 1)


def content(cache: PrefixCache, ids: tuple[int, ...]) -> list[int]:
    parts: list[Floats] = [cache.content(node).ravel() for node in cache.find(ids)]
    return [int(value) for part in parts for value in part]


def test_longest_prefix_is_found() -> None:
    cache = PrefixCache(10**6)
    cache.insert((1, 2, 3), reader((1, 2, 3)))
    cache.insert((1, 2, 3, 4, 5), reader((1, 2, 3, 4, 5)))
    assert content(cache, (1, 2, 3, 4, 5, 6)) == [1, 2, 3, 4, 5]
    assert content(cache, (1, 2, 3, 4)) == [1, 2, 3]
    assert content(cache, (1, 2)) == []
    assert content(cache, ()) == []


def test_branches_share_their_stem() -> None:
    cache = PrefixCache(10**6)
    cache.insert((1, 2, 3), reader((1, 2, 3)))
    for tail in range(4, 8):
        cache.insert((1, 2, 3, tail), reader((1, 2, 3, tail)))
    assert cache.n_bytes == size(5, 3 + 4)


def test_same_prefix_twice_is_one_node() -> None:
    cache = PrefixCache(10**6)
    first = cache.insert((1, 2), reader((1, 2)))
    assert cache.insert((1, 2), reader((1, 2))) is first
    assert cache.n_bytes == size(1, 2)


def test_the_least_recently_used_node_is_dropped() -> None:
    cache = PrefixCache(size(2, 4))
    cache.insert((1, 1), reader((1, 1)))
    cache.insert((2, 2), reader((2, 2)))
    cache.find((1, 1))
    cache.insert((3, 3), reader((3, 3)))
    assert [content(cache, (i, i)) for i in (1, 2, 3)] == [[1, 1], [], [3, 3]]


def test_a_leaf_is_dropped_before_its_stem() -> None:
    cache = PrefixCache(size(2, 4))
    cache.insert((1, 1), reader((1, 1)))
    cache.insert((1, 1, 2), reader((1, 1, 2)))
    cache.insert((3, 3), reader((3, 3)))
    assert content(cache, (1, 1, 2)) == [1, 1]
    assert content(cache, (3, 3)) == [3, 3]


def test_a_prefix_above_the_limit_is_not_kept() -> None:
    cache = PrefixCache(size(1, 2))
    cache.insert((1, 2, 3), reader((1, 2, 3)))
    assert content(cache, (1, 2, 3)) == []
    assert cache.n_bytes == 0


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple), max_size=40), st.integers(0, 40))
def test_lookups_are_right_and_the_limit_holds(prefixes: list[tuple[int, ...]], limit: int) -> None:
    cache = PrefixCache(size(limit, limit))
    for ids in prefixes:
        cache.insert(ids, reader(ids))
        assert cache.n_bytes <= size(limit, limit)
        for other in prefixes:
            found = content(cache, other)
            assert found == list(other[: len(found)])
    if limit >= sum(map(len, prefixes)):
        assert all(content(cache, ids) == list(ids) for ids in prefixes)
