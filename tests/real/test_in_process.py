"""vLLM in this process without any setting, on a machine without a GPU."""

import asyncio
import logging
import re
from typing import Any

import pytest

from epf import asolve
from epf.generators.registry import GeneratorOptions, load_generator
from tests.real.model import MODEL
from tests.vllm.serve import ENVIRONMENT

pytest.importorskip("vllm", reason="needs vLLM: make test-real")


def test_a_directory_is_enough(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It took bfloat16 on any processor and 92 % of the memory, and did not start."""
    for name, value in ENVIRONMENT.items():
        if name != "VLLM_CPU_KVCACHE_SPACE":
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    with caplog.at_level(logging.INFO, logger="epf"):
        generator = load_generator(GeneratorOptions.model_validate({"reference": str(MODEL)}))

    async def main() -> str:
        try:
            options: dict[str, Any] = {"n_particles": 2, "max_steps": 2, "max_tokens_per_step": 24, "temperature": 0.0}
            return (await asolve("Name three fruits.", generator=generator, **options)).solution
        finally:
            await generator.aclose()

    assert asyncio.run(main()).strip()
    said = [record.getMessage() for record in caplog.records if "on the CPU with" in record.getMessage()]
    assert len(said) == 1
    assert re.search(r"(float32|bfloat16) \(the processor (lacks|has) .*\) and \d+\.\d GiB of cache", said[0])
