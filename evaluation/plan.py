"""Which searches a run consists of, and in which order.

Every method meets the same problems with the same seeds. The seed of a search depends on the problem and on the run's seed
only, so two methods, and two budgets of one method, draw the same steps wherever they make the same call.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.problem_sets.problem import Problem
from epf.search.methods import METHODS
from epf.search.options import SearchOptions
from epf.search.request import SearchRequest, resolve_options
from epf.search.runner import SEED_BITS

ALL = "all"
Key = tuple[str, str, int, int]
"""Problem, method, budget and seed of one row."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A method with options of its own, under the name that rows and tables show: ``epf`` or ``epf+lookahead=reuse``."""

    name: str
    options: SearchOptions


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender at one budget, with the resolved options of its searches."""

    contender: Contender
    budget: int
    options: SearchOptions


@dataclass(frozen=True, slots=True)
class Task:
    """One search. ``alone``: nothing else runs meanwhile and no draw is shared, so that its seconds mean something."""

    problem: Problem
    name: str
    budget: int
    seed: int
    options: SearchOptions
    alone: bool

    @property
    def request(self) -> SearchRequest:
        """The search itself."""
        return SearchRequest(self.problem.text, METHODS[self.options.method], self.options)

    @property
    def key(self) -> Key:
        """What its row is found by."""
        return self.problem.id, self.name, self.budget, self.seed


@dataclass(frozen=True, slots=True)
class Plan:
    """All searches of a run.

    Attributes:
        cells: in the order of the methods as given, then of the budgets.
        left_out: combinations that a method refuses, each with its reason.
        timed: the searches of so many problems, with the first seed, run alone.
    """

    problems: tuple[Problem, ...]
    cells: tuple[Cell, ...]
    seeds: int
    timed: int
    left_out: tuple[str, ...] = ()

    @property
    def n_tasks(self) -> int:
        """Searches in all."""
        return len(self.problems) * len(self.cells) * self.seeds

    def alone(self) -> Iterator[Task]:
        """Searches that run one at a time, before all others, problem by problem.

        Who comes later finds more in the engines' caches. So each problem begins with another method and budget, evenly spread:
        over all timed problems every one has about the same place.
        """
        n_cells, timed = len(self.cells), self.problems[: self.timed]
        for i, problem in enumerate(timed):
            first = i * n_cells // len(timed)
            yield from (_task(problem, cell, 0, alone=True) for cell in (*self.cells[first:], *self.cells[:first]))

    def groups(self) -> Iterator[list[Task]]:
        """The others: those of one problem and seed share their draws, the largest budgets come first.

        All problems with the first seed, then with the next: a report on a run that is not over yet knows as many problems as
        it can, and problems say more than seeds.
        """
        cells = sorted(self.cells, key=lambda cell: -cell.budget)
        for seed in range(self.seeds):
            for i, problem in enumerate(self.problems):
                if seed > 0 or i >= self.timed:
                    yield [_task(problem, cell, seed, alone=False) for cell in cells]


def read_contenders(text: str) -> tuple[Contender, ...]:
    """Methods with commas between them, each with options of its own after a plus; ``all`` is every registered method.

    Raises:
        InvalidRequest: a method or an option is not known, an option's value is of another type, or a method comes twice.
    """
    names = [name for part in text.split(",") for name in (METHODS if part.strip() == ALL else (part.strip(),)) if name]
    contenders = tuple(_contender(name) for name in names)
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None or not contenders:
        raise InvalidRequest(f"--methods must name each method once, got {text!r}", param="methods")
    return contenders


def make_plan(
    problems: Sequence[Problem],
    contenders: Sequence[Contender],
    budgets: Sequence[int],
    *,
    seeds: int,
    timed: int,
    options: Mapping[str, Any],
) -> Plan:
    """The whole grid; ``options`` of the search are for all methods that read them.

    A budget is a number of particles; a method that fixes its number has that budget alone.

    Raises:
        InvalidRequest: a method refuses every budget, no method reads an option, or one is out of its range.
    """
    methods = [METHODS[contender.options.method] for contender in contenders]
    for name in options:
        if not any(method.reads(name) for method in methods):
            raise InvalidRequest(f"{name} is read by none of these methods: leave it out", param=name)
    cells: list[Cell] = []
    left_out: list[str] = []
    for contender, method in zip(contenders, methods, strict=True):
        shared = {name: value for name, value in options.items() if method.reads(name)}
        refused: list[str] = []
        fixed = method.fixed.get("n_particles")
        for budget in budgets if fixed is None else (fixed,):
            try:
                wanted = SearchOptions(**{**shared, **contender.options.chosen(), "n_particles": budget})
                resolved = resolve_options(method, wanted)
            except InvalidRequest as error:
                refused.append(f"{contender.name} at budget {budget}: {error.message}")
            else:
                cells.append(Cell(contender, budget, resolved))
        if cells[-1:] == [] or cells[-1].contender != contender:
            raise InvalidRequest(refused[0], param="methods")
        left_out += refused
    return Plan(tuple(problems), tuple(cells), seeds, timed, tuple(left_out))


def search_seed(problem: Problem, seed: int) -> int:
    """Seed of the searches of one problem: the same for all methods, another for each problem, exact in JSON."""
    digest = hashlib.blake2b(f"{seed}:{problem.digest}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - SEED_BITS)


def _task(problem: Problem, cell: Cell, seed: int, *, alone: bool) -> Task:
    options = cell.options.model_copy(update={"seed": search_seed(problem, seed)})
    return Task(problem, cell.contender.name, cell.budget, seed, options, alone)


def _contender(written: str) -> Contender:
    method, *parts = written.split("+")
    values = {name: value for name, _, value in (part.partition("=") for part in parts)}
    for name in values:
        if name not in SearchOptions.model_fields or name in ("method", "n_particles", "seed"):
            raise InvalidRequest(f"--methods: {name!r} is not an option of a search that a method may have", param="methods")
    try:
        options = SearchOptions.model_validate_strings(values, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"--methods: {name}={values[name]}: {first['msg']}", param="methods") from None
    return Contender(written, SearchOptions(**{**options.chosen(), "method": method}))
