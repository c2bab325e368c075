"""Arguments of vLLM's engine that a machine without a GPU needs, where the caller chose none.

vLLM itself takes the type of number that a GPU would take, and 92 % of the memory: on most processors without bfloat16 that is
unusably slow, and next to any other program it does not start. It also compiles the model first, which needs a C++ compiler
and takes minutes.
"""

from collections.abc import Mapping
from typing import Any

MEMORY_SHARE = 0.25
"""Fraction of the available memory that the cache of keys and values takes."""

MAX_CACHE_BYTES = 8 * 2**30
FIT = -1
"""``max_model_len`` with which vLLM takes the model's context, or as much of it as the cache has room for."""


def cpu_defaults(
    chosen: Mapping[str, Any], environment: Mapping[str, str], *, bfloat16: bool, available: int
) -> dict[str, Any]:
    """Return what to add to the engine arguments ``chosen``.

    Args:
        chosen: arguments of ``vllm.engine.arg_utils.AsyncEngineArgs`` that the caller chose; none of them is replaced.
        environment: environment variables, of which ``VLLM_CPU_KVCACHE_SPACE`` also chooses the size of the cache.
        bfloat16: whether the processor has instructions for it.
        available: memory that is left, in bytes.
    """
    added: dict[str, Any] = {"dtype": "bfloat16" if bfloat16 else "float32", "enforce_eager": True}
    sized = {"kv_cache_memory_bytes", "gpu_memory_utilization"} & chosen.keys() or environment.get("VLLM_CPU_KVCACHE_SPACE")
    if not sized:
        added["kv_cache_memory_bytes"] = min(int(available * MEMORY_SHARE), MAX_CACHE_BYTES)
        added["max_model_len"] = FIT
    return {name: value for name, value in added.items() if name not in chosen}


def described(added: Mapping[str, Any]) -> str:
    """Return in words what was added, for the log; empty if there is nothing that a caller would want to know."""
    words = []
    if "dtype" in added:
        why = "has" if added["dtype"] == "bfloat16" else "lacks"
        words.append(f"{added['dtype']} (the processor {why} instructions for bfloat16)")
    if "kv_cache_memory_bytes" in added:
        words.append(
            f"{added['kv_cache_memory_bytes'] / 2**30:.1f} GiB of cache (a quarter of the available memory, at most 8 GiB)"
        )
    return " and ".join(words)
