"""The training problems of GSM8K, from a file or from the hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epf.core.extras import import_extra
from epf.training.plain.gsm8k.template import Template, held_out
from epf.training.plain.gsm8k.tracer import problem_of, template_of
from epf.training.plain.json_lines import read_rows
from epf.training.plain.problem import PlainProblem

HUB = ("openai/gsm8k", "main")


def templates(path: Path | None) -> Iterator[Template]:
    """Yield the templates of a file of rows with ``question`` and ``answer``, or of ``openai/gsm8k`` on the hub.

    Raises:
        OSError: the file cannot be read.
        NotInstalled: there is no path, and the library that reads from the hub is missing.
    """
    for row in _rows(path):
        found = template_of(row["question"], row["answer"])
        if found is not None:
            yield found


def without_template(path: Path | None) -> Iterator[PlainProblem]:
    """Yield the problems that are no templates with the numbers that they have, where their operations are known.

    The generator is not trained on them. Wordings that are held out for development are left out.

    Raises:
        OSError: the file cannot be read.
        NotInstalled: there is no path, and the library that reads from the hub is missing.
    """
    for row in _rows(path):
        if template_of(row["question"], row["answer"]) is None:
            found = problem_of(row["question"], row["answer"])
            if found is not None and not held_out(found.text):
                yield found


def for_development(path: Path | None) -> Iterator[PlainProblem]:
    """Yield the problems with held out wordings, on which neither model is trained, with the numbers that they have.

    Raises:
        OSError: the file cannot be read.
        NotInstalled: there is no path, and the library that reads from the hub is missing.
    """
    for row in _rows(path):
        found = problem_of(row["question"], row["answer"])
        if found is not None and held_out(found.text):
            yield found


def _rows(path: Path | None) -> Iterator[dict[str, Any]]:
    if path is not None:
        return read_rows(path)
    return iter(import_extra("datasets", "datasets").load_dataset(*HUB, split="train"))
