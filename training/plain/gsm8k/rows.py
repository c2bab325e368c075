"""The training problems of GSM8K, from a file or from the hub."""

from collections.abc import Iterator
from pathlib import Path

from epf.core.extras import import_extra
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.gsm8k.tracer import template_of
from epf.training.plain.json_lines import read_rows

HUB = ("openai/gsm8k", "main")


def templates(path: Path | None) -> Iterator[Template]:
    """Yield the templates of a file of rows with ``question`` and ``answer``, or of ``openai/gsm8k`` on the hub.

    Raises:
        OSError: the file cannot be read.
        NotInstalled: there is no path, and the library that reads from the hub is missing.
    """
    rows = import_extra("datasets", "datasets").load_dataset(*HUB, split="train") if path is None else read_rows(path)
    for row in rows:
        found = template_of(row["question"], row["answer"])
        if found is not None:
            yield found
