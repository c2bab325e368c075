"""What vLLM gets on a machine without a GPU where the caller chose nothing."""

from typing import Any

import pytest

from epf.engines.cpu_defaults import FIT, MAX_CACHE_BYTES, cpu_defaults, described

GIB = 2**30


def defaults(chosen: dict[str, Any], environment: dict[str, str] | None = None, **facts: Any) -> dict[str, Any]:
    return cpu_defaults(chosen, environment or {}, **{"bfloat16": False, "available": 16 * GIB} | facts)


def test_without_bfloat16_numbers_are_float32_and_the_memory_is_shared() -> None:
    added = defaults({})
    assert added == {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 4 * GIB, "max_model_len": FIT}
    assert described(added) == (
        "float32 (the processor lacks instructions for bfloat16) and "
        "4.0 GiB of cache (a quarter of the available memory, at most 8 GiB)"
    )


def test_a_processor_with_bfloat16_uses_it() -> None:
    added = defaults({}, bfloat16=True)
    assert added["dtype"] == "bfloat16"
    assert "bfloat16 (the processor has instructions for bfloat16)" in described(added)


def test_a_large_machine_is_not_taken_whole() -> None:
    assert defaults({}, available=1000 * GIB)["kv_cache_memory_bytes"] == MAX_CACHE_BYTES


@pytest.mark.parametrize(
    ("chosen", "environment"),
    [({"kv_cache_memory_bytes": 1}, {}), ({"gpu_memory_utilization": 0.3}, {}), ({}, {"VLLM_CPU_KVCACHE_SPACE": "1"})],
)
def test_a_size_that_the_caller_chose_stands(chosen: dict[str, Any], environment: dict[str, str]) -> None:
    assert defaults(chosen, environment) == {"dtype": "float32", "enforce_eager": True}


def test_arguments_that_the_caller_chose_stand() -> None:
    assert defaults({"dtype": "float16", "max_model_len": 100, "enforce_eager": False}) == {"kv_cache_memory_bytes": 4 * GIB}
    assert described({}) == ""
