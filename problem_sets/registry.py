"""Problem sets by name: generated here, shipped here, read from a file, or from the Hugging Face hub or its local cache."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.extras import import_extra
from epf.problem_sets.problem import Problem, read_problem, with_distinct_ids
from epf.problem_sets.synthetic.problems import problems

DATA = Path(__file__).parent / "data"
HUB_PREFIX = "hf:"
N_SYNTHETIC = 500
SYNTHETIC_SEED = 12_000_001


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set on the hub: ``hf:NAME[:CONFIG][@SPLIT]``. The default split is ``test`` or, if there is only one, that one."""

    name: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubDataset":
        """Parse what follows ``hf:``."""
        path, _, split = text.partition("@")
        name, _, config = path.partition(":")
        if not name:
            raise InvalidRequest("--dataset hf:NAME needs the name of a data set on the hub.", param="dataset")
        return cls(name, config or None, split or None)


def load_problems(dataset: str, limit: int | None = None) -> list[Problem]:
    """Load the first ``limit`` problems of a set: a name in ``PROBLEM_SETS``, ``hf:NAME``, or the path of a JSON Lines file.

    Raises:
        InvalidRequest: the set does not exist, or one of its rows is not a problem with a gold answer.
        NotInstalled: the library that reads from the hub is missing.
    """
    if dataset.startswith(HUB_PREFIX):
        found = _from_hub(HubDataset.parse(dataset.removeprefix(HUB_PREFIX)))
    elif dataset in PROBLEM_SETS:
        found = PROBLEM_SETS[dataset]()
    elif dataset.endswith(".jsonl"):
        found = _from_file(Path(dataset))
    else:
        known = ", ".join(sorted(PROBLEM_SETS))
        raise InvalidRequest(
            f"Unknown data set {dataset!r}: choose {known}, hf:NAME or the path of a .jsonl file.", param="dataset"
        )
    return with_distinct_ids(islice(found, limit), dataset)


def _from_file(path: Path) -> Iterator[Problem]:
    """Yield the rows of a file of JSON objects, one per line; blank lines are skipped."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    where = f"Row {number} of {path}"
                    yield read_problem(_parse_object(line, where), where=where, number=number)
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="dataset") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text: save it as UTF-8.", param="dataset") from error


def _parse_object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{where} is not valid JSON: {error}.", param="dataset") from error
    if not isinstance(row, dict):
        raise InvalidRequest(f"{where} must be a JSON object.", param="dataset")
    return row


def _from_hub(dataset: HubDataset) -> Iterator[Problem]:
    """Yield the rows of a set on the hub, or of its copy in the local cache if the hub cannot be reached."""
    library = import_extra("datasets", "datasets")
    library.disable_progress_bars()
    try:
        splits = library.load_dataset(dataset.name, dataset.config)
    except Exception as error:  # The library raises many kinds: no network, unknown name, no permission, unreadable files.
        raise InvalidRequest(
            f"Cannot load hf:{dataset.name}: {type(error).__name__}: {error}. "
            "Check the name and the network, or save the set as JSON Lines and pass --dataset PATH.jsonl.",
            param="dataset",
        ) from error
    name = dataset.split or ("test" if "test" in splits else next(iter(splits)) if len(splits) == 1 else None)
    if name not in splits:
        raise InvalidRequest(
            f"hf:{dataset.name} has the splits {', '.join(sorted(splits))}: choose one with hf:{dataset.name}@SPLIT.",
            param="dataset",
        )
    for number, row in enumerate(splits[name], start=1):
        yield read_problem(row, where=f"Row {number} of hf:{dataset.name}", number=number)


def _synthetic() -> Iterator[Problem]:
    """Yield stories of 4 to 8 steps whose graphs of quantities are held out from the embedded pair's training."""
    for number, problem in enumerate(islice(problems(SYNTHETIC_SEED, "test", 4, 8), N_SYNTHETIC), start=1):
        yield Problem(f"synthetic-{number}", problem.text, str(problem.answer))


PROBLEM_SETS: Mapping[str, Callable[[], Iterator[Problem]]] = MappingProxyType(
    {
        "synthetic": _synthetic,
        "gsm8k": lambda: _from_file(DATA / "gsm8k.jsonl"),
        "svamp": lambda: _from_file(DATA / "svamp.jsonl"),
        "math500": lambda: _from_hub(HubDataset("HuggingFaceH4/MATH-500", split="test")),
        "aime24": lambda: _from_hub(HubDataset("HuggingFaceH4/aime_2024", split="train")),
    }
)
