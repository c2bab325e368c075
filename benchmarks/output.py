"""Where and how the benchmarks write what they measured."""

import json
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
