"""Where and how the benchmarks write what they measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def save(path: Path, result: dict[str, Any], page: str | None = None) -> None:
    """Write ``path`` with the suffix ``.json`` and, if there is a page, with ``.md``; prints what a person reads."""
    text = json.dumps(result, indent=1) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")
    if page is not None:
        path.with_suffix(".md").write_text(page, encoding="utf-8")
    print(page or text)


def marked(share: float, verdict: str) -> str:
    """Return a share in percent, with + or - where it is better or worse than what it is compared with."""
    return f"{100 * share:.1f}" + {"better": " +", "worse": " -"}.get(verdict, "")


def measured_by(result: Mapping[str, Any]) -> str:
    """Return the line of a page that names the command, the processors and how busy they were when it started."""
    return f"`{result['command']}` on {result['cpus']} CPUs with a load of {result['load_at_start']:.1f} by other work"
