"""Problems by the name of their data set: made here, shipped here, a file, or the Hugging Face hub and its local cache."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epf.core.errors import InvalidRequest
from epf.core.extras import needed
from epf.problem_sets.problem import Problem, distinct, problem_of
from epf.problem_sets.synthetic.problems import problems

DATA = Path(__file__).parent / "data"
HUB = "hf:"
N_SYNTHETIC = 500
SYNTHETIC_SEED = 12_000_001


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set on the hub: ``hf:NAME[:CONFIG][@SPLIT]``. Without a split, ``test`` or the only one."""

    name: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def read(cls, text: str) -> "HubName":
        """Read what stands after ``hf:``."""
        path, _, split = text.partition("@")
        name, _, config = path.partition(":")
        if not name:
            raise InvalidRequest("--dataset hf:NAME needs the name of a data set on the hub.", param="dataset")
        return cls(name, config or None, split or None)


def load_problems(dataset: str, limit: int | None = None) -> list[Problem]:
    """The first ``limit`` problems of a data set: a name in ``NAMED``, ``hf:NAME``, or the path of a JSON Lines file.

    Raises:
        InvalidRequest: there is no such set, or a row of it is not a problem with its answer.
        NotInstalled: the library that reads the hub is missing.
    """
    if dataset.startswith(HUB):
        rows = _from_hub(HubName.read(dataset.removeprefix(HUB)))
    elif dataset in NAMED:
        rows = NAMED[dataset]()
    elif dataset.endswith(".jsonl"):
        rows = _from_file(Path(dataset))
    else:
        known = ", ".join(sorted(NAMED))
        raise InvalidRequest(f"unknown data set {dataset!r}: it is {known}, hf:NAME or a file .jsonl", param="dataset")
    return distinct(islice(rows, limit), dataset)


def _from_file(path: Path) -> Iterator[Problem]:
    """Rows of a file of JSON objects; blank lines are skipped."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    where = f"Row {number} of {path}"
                    yield problem_of(_object(line, where), where=where, number=number)
    except OSError as error:
        raise InvalidRequest(f"Cannot read {path}: {error.strerror}.", param="dataset") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text: save it as UTF-8.", param="dataset") from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{where} is not valid JSON: {error}.", param="dataset") from error
    if not isinstance(row, dict):
        raise InvalidRequest(f"{where} must be a JSON object.", param="dataset")
    return row


def _from_hub(wanted: HubName) -> Iterator[Problem]:
    """Rows of a set on the hub, or of its copy in the local cache where the hub cannot be reached."""
    library = needed("datasets", "datasets")
    library.disable_progress_bars()
    try:
        splits = library.load_dataset(wanted.name, wanted.config)
    except Exception as error:  # of many kinds: no network, no such name, no permission, files that are no table
        fix = "check the name and the network, or save the set as JSON Lines and give --dataset PATH.jsonl"
        raise InvalidRequest(
            f"cannot load hf:{wanted.name}: {type(error).__name__}: {error}; {fix}", param="dataset"
        ) from error
    name = wanted.split or ("test" if "test" in splits else next(iter(splits)) if len(splits) == 1 else None)
    if name not in splits:
        has = ", ".join(sorted(splits))
        raise InvalidRequest(f"hf:{wanted.name} has the splits {has}: choose one as hf:{wanted.name}@SPLIT", param="dataset")
    for number, row in enumerate(splits[name], start=1):
        yield problem_of(row, where=f"Row {number} of hf:{wanted.name}", number=number)


def _synthetic() -> Iterator[Problem]:
    """Stories of 4 to 8 steps whose graphs of quantities the embedded pair was not trained on."""
    made = problems(SYNTHETIC_SEED, "test", 4, 8)
    for number, problem in enumerate(islice(made, N_SYNTHETIC), start=1):
        yield Problem(f"synthetic-{number}", problem.text, str(problem.answer))


NAMED: Mapping[str, Callable[[], Iterator[Problem]]] = MappingProxyType(
    {
        "synthetic": _synthetic,
        "gsm8k": lambda: _from_file(DATA / "gsm8k.jsonl"),
        "svamp": lambda: _from_file(DATA / "svamp.jsonl"),
        "math500": lambda: _from_hub(HubName("HuggingFaceH4/MATH-500", split="test")),
        "aime24": lambda: _from_hub(HubName("HuggingFaceH4/aime_2024", split="train")),
    }
)
