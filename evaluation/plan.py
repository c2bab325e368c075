"""The searches of a run and their order.

Every method gets the same problems with the same seeds. The seed of a search depends only on the problem and on the seed of the
run, so two methods, or two budgets of one method, draw the same steps wherever they make the same call.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.core.generator import Abilities
from epf.problem_sets.problem import Problem
from epf.search.methods import METHODS
from epf.search.methods.epf import EPF
from epf.search.methods.pf import PF
from epf.search.options import SearchOptions
from epf.search.profile.profile import Profile
from epf.search.runner import SEED_BITS, SearchRequest, check_scored, is_able, resolve_options

ALL = "all"
EXACT_LABELS = "pf with exact labels"
"""Name of the ceiling in rows and tables: particle filtering whose reward model knows which steps are right."""
Key = tuple[str, str, int, int]
"""Problem, method, budget and seed of one row."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A method with its own options, under the name that rows and tables show: ``epf`` or ``epf+lookahead=reuse``.

    ``implied`` is whether the caller asked for all methods, not for this one.
    """

    name: str
    options: SearchOptions
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender at one budget, with the resolved options of its searches."""

    contender: Contender
    budget: int
    options: SearchOptions


@dataclass(frozen=True, slots=True)
class Task:
    """One search. If it is ``alone``, nothing else runs meanwhile and it shares no draws, so that its time can be measured.

    If it is ``exact``, exact labels score its steps.
    """

    problem: Problem
    name: str
    budget: int
    seed: int
    options: SearchOptions
    alone: bool
    exact: bool = False

    @property
    def request(self) -> SearchRequest:
        """The search itself."""
        return SearchRequest(self.problem.text, METHODS[self.options.method], self.options)

    @property
    def key(self) -> Key:
        """Key of its row."""
        return self.problem.id, self.name, self.budget, self.seed


@dataclass(frozen=True, slots=True)
class Plan:
    """All searches of a run.

    Attributes:
        problems: the problems, in the order of the data set.
        cells: contenders and budgets, in the order in which the methods were given, then by budget.
        seeds: number of searches per problem and cell.
        timed: number of problems, from the first, whose searches with the first seed run alone.
        left_out: a message for each combination of method and budget that the method refuses.
        ceilings: cells whose steps are scored by exact labels; they are reported as ceilings only, and never timed.
    """

    problems: tuple[Problem, ...]
    cells: tuple[Cell, ...]
    seeds: int
    timed: int
    left_out: tuple[str, ...] = ()
    ceilings: tuple[Cell, ...] = ()

    @property
    def n_tasks(self) -> int:
        """Total number of searches."""
        return len(self.problems) * (len(self.cells) + len(self.ceilings)) * self.seeds

    @property
    def names(self) -> frozenset[tuple[str, int]]:
        """Method and budget of each cell, ceilings included."""
        return frozenset((cell.contender.name, cell.budget) for cell in (*self.cells, *self.ceilings))

    def alone(self) -> Iterator[Task]:
        """Yield the searches that run one at a time, before all others, problem by problem.

        A later search finds more in the engines' caches. Each problem therefore starts with another method and budget, so that
        over all timed problems every one of them has about the same average position.
        """
        n_cells, timed = len(self.cells), self.problems[: self.timed]
        for i, problem in enumerate(timed):
            first = i * n_cells // len(timed)
            yield from (_task(problem, cell, 0, alone=True) for cell in (*self.cells[first:], *self.cells[:first]))

    def groups(self) -> Iterator[list[Task]]:
        """Yield the other searches in groups: one problem and seed, whose draws are shared, from the largest budget down.

        All problems come with the first seed, then with the next, so that a report on an incomplete run covers as many problems
        as possible: more problems narrow the intervals more than more seeds do.
        """
        cells = sorted(self.cells, key=lambda cell: -cell.budget)
        for seed in range(self.seeds):
            for i, problem in enumerate(self.problems):
                shared = cells if seed > 0 or i >= self.timed else []
                tasks = [_task(problem, cell, seed, alone=False) for cell in shared]
                tasks += [replace(_task(problem, cell, seed, alone=False), exact=True) for cell in self.ceilings]
                if tasks:
                    yield tasks


def read_contenders(text: str) -> tuple[Contender, ...]:
    """Read methods with commas between them, each with its own options after a plus; ``all`` is every registered method.

    Raises:
        InvalidRequest: a method or an option is unknown, an option's value has the wrong type, or a method occurs twice.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    written = [(name, part == ALL) for part in parts for name in (METHODS if part == ALL else (part,))]
    contenders = tuple(replace(_contender(name), implied=implied) for name, implied in written)
    names = [name for name, _ in written]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None or not contenders:
        raise InvalidRequest(f"--methods must name at least one method, and each one once, got {text!r}.", param="methods")
    return contenders


def make_plan(
    problems: Sequence[Problem],
    contenders: Sequence[Contender],
    budgets: Sequence[int],
    *,
    seeds: int,
    timed: int,
    options: Mapping[str, Any],
    has_reward_model: bool = True,
    profile: Profile | None = None,
    exact_labels: bool = False,
) -> Plan:
    """Plan every problem with every contender, budget and seed; ``options`` apply to all methods that read them.

    A ``profile`` holds options of ``epf`` which neither ``options`` nor a contender sets.

    A budget is a number of particles. A method with a fixed number of particles has that budget only. Without a reward model,
    ``ALL`` leaves out the methods that need one. With ``exact_labels`` each budget above 1 has a ceiling.

    Raises:
        InvalidRequest: a method refuses every budget or needs a reward model, which is missing, no method reads an option,
            an option is out of its range, or exact labels of a problem are not known.
    """
    left_out: list[str] = []
    if not has_reward_model:
        contenders, left_out = _unscored(contenders)
    methods = [METHODS[contender.options.method] for contender in contenders]
    for name in options:
        if not any(method.reads(name) for method in methods):
            raise InvalidRequest(f"None of these methods reads {name}. Leave it out.", param=name)
    cells: list[Cell] = []
    for contender, method in zip(contenders, methods, strict=True):
        shared = {name: value for name, value in options.items() if method.reads(name)}
        if profile is not None and method is EPF:
            shared = {**profile.options, **shared}
        refused: list[str] = []
        fixed = method.fixed.get("n_particles")
        for budget in budgets if fixed is None else (fixed,):
            try:
                combined = SearchOptions(**{**shared, **contender.options.chosen(), "n_particles": budget})
                resolved = resolve_options(method, combined)
            except InvalidRequest as error:
                refused.append(f"{contender.name} at budget {budget}: {error.message}")
            else:
                cells.append(Cell(contender, budget, resolved))
        if cells[-1:] == [] or cells[-1].contender != contender:
            raise InvalidRequest(refused[0], param="methods")
        left_out += refused
    ceilings = _ceilings(problems, budgets, options) if exact_labels else ()
    return Plan(tuple(problems), tuple(cells), seeds, timed, tuple(left_out), ceilings)


def _ceilings(problems: Sequence[Problem], budgets: Sequence[int], options: Mapping[str, Any]) -> tuple[Cell, ...]:
    if any(problem.is_right_so_far is None for problem in problems):
        message = "Exact labels need problems whose right steps are known, which are those of the sets synthetic and forks"
        raise InvalidRequest(f"{message}: leave out --exact-labels.", param="exact_labels")
    shared = {name: value for name, value in options.items() if PF.reads(name)}
    chosen = [SearchOptions(**{**shared, "method": PF.name, "n_particles": budget}) for budget in budgets if budget > 1]
    return tuple(Cell(Contender(EXACT_LABELS, one), one.n_particles, resolve_options(PF, one)) for one in chosen)


def without_unable(plan: Plan, abilities: Abilities) -> tuple[Plan, str]:
    """``plan`` without the methods that nobody named and that a generator of these abilities cannot serve.

    The message names them; it is empty if nothing is left out.
    """
    methods = [(cell.contender, METHODS[cell.contender.options.method]) for cell in plan.cells if cell.contender.implied]
    names = list(dict.fromkeys(contender.name for contender, method in methods if not is_able(method, abilities)))
    if not names:
        return plan, ""
    message = f"{', '.join(names)}: the generator's server does not offer what these methods need (see docs/servers.md)"
    cells = tuple(cell for cell in plan.cells if cell.contender.name not in names)
    return replace(plan, cells=cells, left_out=(*plan.left_out, message)), message


def search_seed(problem: Problem, seed: int) -> int:
    """Seed of the searches of one problem: the same for all methods, different for each problem, exact in JSON."""
    digest = hashlib.blake2b(f"{seed}:{problem.digest}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - SEED_BITS)


def _task(problem: Problem, cell: Cell, seed: int, *, alone: bool) -> Task:
    options = cell.options.model_copy(update={"seed": search_seed(problem, seed)})
    return Task(problem, cell.contender.name, cell.budget, seed, options, alone)


def _unscored(contenders: Sequence[Contender]) -> tuple[list[Contender], list[str]]:
    """The contenders that need no reward model, and a message about the others if the caller did not name them."""
    scored = [contender for contender in contenders if METHODS[contender.options.method].needs_reward_model]
    for contender in scored:
        if not contender.implied:
            check_scored(METHODS[contender.options.method], has_reward_model=False)
    names = ", ".join(contender.name for contender in scored)
    left_out = [f"{names}: there is no reward model, which these methods need (--reward-model)"] if scored else []
    return [contender for contender in contenders if contender not in scored], left_out


def _contender(written: str) -> Contender:
    method, *parts = written.split("+")
    values = {name: value for name, _, value in (part.partition("=") for part in parts)}
    for name in values:
        if name not in SearchOptions.model_fields or name in ("method", "n_particles", "seed"):
            raise InvalidRequest(f"--methods: {name!r} is not an option that a method can have.", param="methods")
    try:
        options = SearchOptions.model_validate_strings(values, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"--methods: {name}={values[name]}: {first['msg']}", param="methods") from None
    return Contender(written, SearchOptions(**{**options.chosen(), "method": method}))
