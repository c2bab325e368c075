"""Trials with real models: searches on problems with known answers, whose rows are kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from epf.core.errors import GeneratorError
from epf.evaluation.plan import Cell, Contender, Key, Plan
from epf.evaluation.profile.trials import Candidate
from epf.evaluation.report.grid import grid_of
from epf.evaluation.report.statistics import FloatArray
from epf.evaluation.rows import Row
from epf.evaluation.schedule import run_tasks
from epf.evaluation.slope_by_depth import Solution
from epf.evaluation.worker import Searcher
from epf.problem_sets.problem import Problem
from epf.search.methods import METHODS
from epf.search.options import MethodName, SearchOptions
from epf.search.runner import resolve_options

SAMPLES = "independent samples"
SHARED = (
    "max_steps",
    "max_tokens_per_step",
    "temperature",
    "top_p",
    "max_tokens_per_particle",
    "system_prompt",
    "separator",
    "stop",
)
"""Options of sampling, which are the user's and not learned."""


class Searches:
    """See :class:`epf.evaluation.profile.trials.Trials`.

    Args:
        problems: the problems; their order is replaced by one that means nothing, since sets are often sorted.
        searcher: runs the searches.
        concurrency: maximum number of searches at the same time.
        shared: options of :data:`SHARED` that all searches have, by name.
        on_row: receives the row of each search as it ends.

    Attributes:
        rows: rows of all searches that have a result.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        searcher: Searcher,
        *,
        concurrency: int,
        shared: Mapping[str, Any],
        on_row: Callable[[Row], None] = lambda row: None,
    ) -> None:
        self.rows: dict[Key, Row] = {}
        self._problems = sorted(problems, key=lambda problem: problem.digest)
        self._searcher = searcher
        self._concurrency = concurrency
        self._shared = shared
        self._on_row = on_row

    @property
    def n_problems(self) -> int:
        """Number of problems."""
        return len(self._problems)

    async def sample(self, problems: range, n: int) -> Sequence[Sequence[Solution]]:
        """``n`` independent solutions of each problem, scored after every step; fewer where some could not be scored.

        Raises:
            GeneratorError: too many searches in a row failed, or all did.
        """
        cell = self._cell(SAMPLES, "best_of_n", n, {"aggregation": "mean"})
        rows = await self._run([cell], problems, 1)
        return [
            [(traced.right, traced.scores) for traced in row.traced for _ in range(traced.copies)]
            for row in rows
            if row.final and row.error is None
        ]

    async def search(self, candidates: Sequence[Candidate], problems: range, n_seeds: int) -> Mapping[str, FloatArray]:
        """Share of searches with the right answer, for each candidate by name, on problems on which no search failed.

        Raises:
            GeneratorError: too many searches in a row failed, or all did.
        """
        cells = [self._cell(one.name, "epf", one.n_particles, one.options) for one in candidates]
        rows = await self._run(cells, problems, n_seeds)
        grid = grid_of(rows, [(cell.contender.name, cell.budget) for cell in cells])
        if not grid.n_searches:
            reason = next((f" The last error: {row.error.message}" for row in reversed(rows) if row.error is not None), "")
            raise GeneratorError(f"On no problem have all searches ended.{reason}")
        return {cell.contender.name: grid.right[cell.contender.name, cell.budget] for cell in cells}

    def _cell(self, name: str, method: MethodName, n: int, options: Mapping[str, Any]) -> Cell:
        chosen = SearchOptions(**{**self._shared, **options, "method": method, "n_particles": n})
        return Cell(Contender(name, chosen), n, resolve_options(METHODS[method], chosen))

    async def _run(self, cells: Sequence[Cell], problems: range, n_seeds: int) -> list[Row]:
        """Rows of all these searches, of which those without a row are run now; a search that failed has its error."""
        part = self._problems[problems.start : problems.stop]
        plan = Plan(tuple(part), tuple(cells), n_seeds, 0)
        failed: list[Row] = []

        def emit(row: Row) -> None:
            if row.final:
                self.rows[row.key] = row
            else:
                failed.append(row)
            self._on_row(row)

        await run_tasks(plan, [self._searcher], concurrency=self._concurrency, done=frozenset(self.rows), emit=emit)
        keys = [task.key for group in plan.groups() for task in group]
        return [*(self.rows[key] for key in keys if key in self.rows), *failed]
