"""What the processor and the memory of this machine allow an engine that runs without a GPU."""

import os
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
CONTROL_GROUP = Path("/sys/fs/cgroup")

_BFLOAT16 = re.compile(r"^(?:flags|Features)\s*:.*\b(?:avx512_bf16|amx_bf16|bf16)\b", re.MULTILINE)
"""Linux's names of the instructions: on x86 ``avx512_bf16`` and ``amx_bf16``, on Arm ``bf16``."""


def computes_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor has instructions for bfloat16; without them it is many times slower than float32.

    False where the system does not say.
    """
    try:
        return bool(_BFLOAT16.search(cpu_info.read_text(encoding="utf-8")))
    except OSError:
        return False


def available_bytes(memory_info: Path = MEMORY_INFO, control_group: Path = CONTROL_GROUP) -> int:
    """Return how much memory a new process may take, in bytes: what the machine has left, or what its container leaves."""
    limits = [_machine(memory_info)]
    try:
        limit = (control_group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((control_group / "memory.current").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return limits[0]
    if limit.isdecimal():  # else "max"
        limits.append(max(0, int(limit) - used))
    return min(limits)


def _machine(memory_info: Path) -> int:
    try:
        found = re.search(r"^MemAvailable:\s*(\d+) kB$", memory_info.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
