"""Problem sets by name: generated here, shipped here, read from a file, or from the Hugging Face hub or its local cache."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from epf.core.errors import InvalidRequest
from epf.core.extras import import_extra
from epf.problem_sets.columns import USUAL, Columns
from epf.problem_sets.files import ENDINGS, SourceRow, is_data_file, read_rows
from epf.problem_sets.forks.labels import is_right_so_far as is_right_walk_so_far
from epf.problem_sets.forks.problems import mazes
from epf.problem_sets.problem import Problem, read_problem, with_ids
from epf.problem_sets.synthetic.labels import is_right_so_far
from epf.problem_sets.synthetic.problems import problems

DATA = Path(__file__).parent / "data"
HUB_PREFIX = "hf:"
N_GENERATED = 500
SYNTHETIC_SEED, FORKS_SEED = 12_000_001, 14_000_001
N_SHOWN = 10
"""Maximum number of further refused rows that a message lists."""


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


def load_problems(dataset: str, limit: int | None = None, columns: Columns = USUAL) -> list[Problem]:
    """Load the first ``limit`` problems of a set: a name in ``PROBLEM_SETS``, ``hf:NAME``, or the path of a data file.

    ``columns`` maps ``problem``, ``answer`` and ``id`` to the columns of a file or of a set on the hub that hold them. All rows
    of a file are checked, also those after ``limit``.

    Raises:
        InvalidRequest: the set does not exist, or one of its rows is not a problem with a gold answer.
        NotInstalled: the library that reads Parquet, or from the hub, is missing.
    """
    if dataset in PROBLEM_SETS:
        if columns:
            raise InvalidRequest(f"--columns is for files and hf:NAME, and {dataset} has its own columns.", param="columns")
        return PROBLEM_SETS[dataset](limit)
    if dataset.startswith(HUB_PREFIX):
        return _from_hub(HubDataset.parse(dataset.removeprefix(HUB_PREFIX)), limit, columns)
    if is_data_file(dataset):
        return _from_file(Path(dataset), limit, columns)
    known = ", ".join(sorted(PROBLEM_SETS))
    endings = ", ".join(ENDINGS)
    raise InvalidRequest(
        f"Unknown data set {dataset!r}: choose {known}, hf:NAME or the path of a file ({endings}, each also with .gz).",
        param="dataset",
    )


def _from_file(path: Path, limit: int | None, columns: Columns = USUAL) -> list[Problem]:
    return _problems(read_rows(path), str(path), columns)[:limit]


def _problems(rows: Iterable[SourceRow], source: str, columns: Columns) -> list[Problem]:
    """The problems of all rows. A message about refused rows has the reason for the first and the numbers of the others."""
    found: list[tuple[int, Problem]] = []
    refused: list[tuple[int, InvalidRequest]] = []
    for number, values in rows:
        try:
            found.append((number, read_problem(values, where=f"Row {number} of {source}", columns=columns)))
        except InvalidRequest as error:
            refused.append((number, error))
    if refused:
        (_, first), *others = refused
        numbers = ", ".join(str(number) for number, _ in others[:N_SHOWN]) + (", ..." if len(others) > N_SHOWN else "")
        more = f" Rows that are refused too: {numbers} ({len(others)} in all)." if others else ""
        raise InvalidRequest(first.message + more, param=first.param)
    return with_ids(found, source)


def _from_hub(dataset: HubDataset, limit: int | None, columns: Columns = USUAL) -> list[Problem]:
    """The first rows of a set on the hub, or of its copy in the local cache if the hub cannot be reached."""
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
    rows = (SourceRow(number, row) for number, row in enumerate(islice(splits[name], limit), start=1))
    return _problems(rows, f"hf:{dataset.name}", columns)


def _synthetic(limit: int | None) -> list[Problem]:
    """Stories of 4 to 8 steps whose graphs of quantities are held out from the embedded pair's training."""
    found = enumerate(islice(problems(SYNTHETIC_SEED, "test", 4, 8), _n_generated(limit)), start=1)
    return [
        Problem(f"synthetic-{number}", problem.text, str(problem.answer), partial(is_right_so_far, problem))
        for number, problem in found
    ]


def _forks(limit: int | None) -> list[Problem]:
    """Mazes with two or three forks."""
    found = enumerate(islice(mazes(FORKS_SEED), _n_generated(limit)), start=1)
    return [
        Problem(f"forks-{number}", maze.text, str(maze.answer), partial(is_right_walk_so_far, maze)) for number, maze in found
    ]


def _n_generated(limit: int | None) -> int:
    return N_GENERATED if limit is None else min(limit, N_GENERATED)


PROBLEM_SETS: Mapping[str, Callable[[int | None], list[Problem]]] = MappingProxyType(
    {
        "synthetic": _synthetic,
        "forks": _forks,
        "gsm8k": lambda limit: _from_file(DATA / "gsm8k.jsonl", limit),
        "svamp": lambda limit: _from_file(DATA / "svamp.jsonl", limit),
        "math500": lambda limit: _from_hub(HubDataset("HuggingFaceH4/MATH-500", split="test"), limit),
        "aime24": lambda limit: _from_hub(HubDataset("HuggingFaceH4/aime_2024", split="train"), limit),
    }
)
