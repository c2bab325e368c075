"""What is kept takes no more memory than it may, as the interpreter itself counts it."""

import random
import threading
import tracemalloc

import pytest

from epf.core.bounded_cache import ENTRY_BYTES, ID_BYTES, BoundedCache, text_bytes

Texts = BoundedCache[str, tuple[int, ...]]


def texts(max_bytes: int) -> Texts:
    return BoundedCache(max_bytes, lambda text, ids: text_bytes(text) + ID_BYTES * len(ids))


@pytest.mark.parametrize("alphabet", ["ab", "中文", "😀😁"])
@pytest.mark.parametrize("n_chars", [1, 100, 1000])
def test_the_memory_of_all_entries_stays_within_the_limit(alphabet: str, n_chars: int) -> None:
    """Filled with three times as much as there is room for."""
    limit = 2**18
    chance = random.Random(1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        cache = texts(limit)
        n_seen = 0
        while n_seen < 3 * limit:
            text = "".join(chance.choices(alphabet, k=n_chars)) + str(n_seen)
            ids = tuple(chance.randrange(1000, 10**6) for _ in range(n_chars))
            n_seen += text_bytes(text) + ID_BYTES * len(ids)
            cache[text] = ids
        del text, ids
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cache.n_bytes <= limit
    assert after - before <= 1.5 * limit
    assert after - before >= 0.5 * limit


def test_the_entry_that_was_not_used_for_longest_is_dropped_first() -> None:
    cache: BoundedCache[str, None] = BoundedCache(2 * ENTRY_BYTES, lambda _key, _value: 0)
    cache["a"] = cache["b"] = None
    assert cache["a"] is None
    cache["c"] = None
    assert [key in cache for key in "abc"] == [True, False, True]
    with pytest.raises(KeyError):
        cache["b"]


def test_what_is_larger_than_everything_together_is_not_kept() -> None:
    cache = texts(1000)
    cache["small"] = (1,)
    cache["large"] = (1,) * 1000
    assert "large" not in cache
    assert "small" in cache
    cache["small"] = (1,) * 1000
    assert "small" not in cache, "an older value would be wrong"


def test_threads_may_share_a_cache() -> None:
    cache = texts(200 * ENTRY_BYTES)
    wrong: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(1000):
            n = chance.randrange(400)
            try:
                found = cache[str(n)]
            except KeyError:
                cache[str(n)] = (n,)
            else:
                wrong.extend(found if found != (n,) else ())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.n_bytes <= 200 * ENTRY_BYTES
