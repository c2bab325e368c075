"""What is read about the processor and the memory, from the files of Linux."""

from pathlib import Path

import pytest

from epf.engines.machine import available_bytes, computes_bfloat16


@pytest.mark.parametrize(
    ("line", "bfloat16"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16 avx512_fp16", True),
        ("flags\t\t: fpu avx2 amx_tile amx_bf16", True),
        ("Features\t: fp asimd i8mm bf16", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", False),
        ("model name\t: a processor named bf16", False),
    ],
)
def test_bfloat16_is_an_instruction_of_the_processor(tmp_path: Path, line: str, bfloat16: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{line}\nbugs\t\t:\n")
    assert computes_bfloat16(tmp_path / "cpuinfo") is bfloat16


def test_a_system_that_says_nothing_has_no_bfloat16(tmp_path: Path) -> None:
    assert not computes_bfloat16(tmp_path / "missing")


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [("max", 5, 4096 * 1024), (str(2**20), 2**19, 2**19), (str(2**20), 2**21, 0), (str(2**40), 0, 4096 * 1024)],
)
def test_memory_is_what_the_machine_and_the_container_leave(tmp_path: Path, limit: str, used: int, expected: int) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:     9000 kB\nMemAvailable:     4096 kB\n")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    assert available_bytes(tmp_path / "meminfo", tmp_path) == expected
    assert available_bytes(tmp_path / "meminfo", tmp_path / "missing") == 4096 * 1024


def test_this_machine_has_memory() -> None:
    assert available_bytes() > 2**20
