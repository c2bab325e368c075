"""An evaluation from Python: what to compare, the searches, and the report on their rows.

``await evaluate(Evaluation("svamp", Path("runs/svamp"), methods="epf,pf", limit=100), load_models)`` runs or resumes one and
returns its report. :func:`open_run` gives the same steps one by one.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from epf.core.errors import InvalidRequest, NotInstalled
from epf.core.version import VERSION
from epf.engines.onnx.pairs import DEFAULT_PAIR
from epf.evaluation.disk import writes_to
from epf.evaluation.plan import ALL, Plan, make_plan, read_contenders, without_unable
from epf.evaluation.report.figures import Report, report_of
from epf.evaluation.report.pictures import draw
from epf.evaluation.report.text import markdown
from epf.evaluation.rows import ModelNames, Row
from epf.evaluation.schedule import run_tasks
from epf.evaluation.store import Store, open_store, run_settings
from epf.evaluation.worker import LoadModels, Searcher, Worker
from epf.problem_sets.registry import load_problems
from epf.search.profile.profile import Profile

BUDGETS = (1, 2, 4, 8, 16, 32)
EMBEDDED: Mapping[str, Mapping[str, Any]] = {
    "generator": {"kind": "embedded", "name": DEFAULT_PAIR.name},
    "reward_model": {"kind": "embedded", "name": DEFAULT_PAIR.name, "family": None, "calibration": None},
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Methods and budgets to compare on the problems of a data set.

    Attributes:
        dataset: name of a data set, ``hf:NAME[:CONFIG][@SPLIT]``, or path of a data file.
        directory: holds rows and report. If it holds rows of the same evaluation, or of a part of it, the run resumes.
        methods: see :func:`epf.evaluation.plan.read_contenders`; the first is the reference of the comparisons.
        budgets: numbers of particles.
        seeds: number of searches per problem, method and budget.
        limit: number of problems, from the first; None is all.
        timed: number of problems, from the first, whose first searches run alone, to measure their latency.
        options: options of a search that all methods share.
        models: what identifies the generator and the reward model in ``run.json``.
        has_reward_model: whether there is a reward model.
        profile: profile of these models, with options of ``epf``; None without one.
        exact_labels: whether to search with exact labels too, as a ceiling; for problems whose right steps are known.
        columns: the columns of the file or of the set on the hub that hold ``problem``, ``answer`` and ``id``, where they have
            other names.
    """

    dataset: str
    directory: Path
    methods: str = ALL
    budgets: Sequence[int] = BUDGETS
    seeds: int = 3
    limit: int | None = None
    timed: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMBEDDED)
    columns: Mapping[str, str] = field(default_factory=dict)
    has_reward_model: bool = True
    profile: Profile | None = None
    exact_labels: bool = False


class WrittenReport(NamedTuple):
    """A report, its page in Markdown, and why it has no pictures, or None if it has."""

    report: Report
    page: str
    without_pictures: str | None


class Run:
    """An evaluation in progress; made by :func:`open_run`."""

    def __init__(self, plan: Plan, store: Store, settings: Mapping[str, Any]) -> None:
        self.plan = plan
        self._store = store
        self._settings = settings

    @property
    def rows(self) -> list[Row]:
        """Rows of all searches that have ended, those of earlier runs included."""
        return list(self._store.rows.values())

    @property
    def is_complete(self) -> bool:
        """Whether every search of the plan has its row."""
        names = self.plan.names
        return sum((row.method, row.budget) in names for row in self.rows) >= self.plan.n_tasks

    def fit(self, searchers: Sequence[Searcher]) -> list[str]:
        """Leave out the methods that the models of this process cannot serve and that nobody named; a message about them.

        Raises:
            InvalidRequest: the stored rows are those of other models.
        """
        messages = []
        for searcher in searchers:
            if isinstance(searcher, Worker):
                self._check_models(searcher.models)
                self.plan, message = without_unable(self.plan, searcher.abilities)
                messages.append(message)
        return list(filter(None, messages))

    async def search(
        self, searchers: Sequence[Searcher], *, concurrency: int = 16, on_row: Callable[[Row], None] | None = None
    ) -> None:
        """Run the searches that have no row yet, at most ``concurrency`` at a time on each searcher, and store their rows.

        Raises:
            InvalidRequest: a method cannot search with these models, or the stored rows are those of others.
            GeneratorError: too many searches in a row failed. The stored rows stay valid.
        """
        self.fit(searchers)

        def emit(row: Row) -> None:
            self._store.add(row)
            if on_row is not None:
                on_row(row)

        await run_tasks(self.plan, searchers, concurrency=concurrency, done=frozenset(self._store.rows), emit=emit)

    def _check_models(self, models: ModelNames) -> None:
        """Raise ``InvalidRequest`` if a stored row is that of other models: an address can serve another one today."""
        for row in self.rows:
            if row.models is not None and row.models != models:
                before, now = (" with ".join(filter(None, names)) for names in (row.models, models))
                message = f"{self._store.directory} holds searches of {before}, but the models are now {now}"
                raise InvalidRequest(f"{message}: choose another --out, or name the models as before.", param="out")

    def write_report(self) -> WrittenReport:
        """Write ``report.md``, ``report.json`` and the pictures on the rows so far.

        Raises:
            SearchServiceError: they cannot be written.
        """
        report = report_of(self.rows, [(cell.contender.name, cell.budget) for cell in self.plan.cells])
        with writes_to(self._store.directory):
            return self._write(report, self._store.directory)

    def _write(self, report: Report, directory: Path) -> WrittenReport:
        missing = None
        try:
            pictures = draw(report, directory)
        except NotInstalled as error:
            pictures, missing = {}, error.message
        settings = {name: value for name, value in self._settings.items() if name != "problems"}
        text = json.dumps({"settings": settings, **asdict(report)}, indent=1)
        (directory / "report.json").write_text(text + "\n", encoding="utf-8")
        page = markdown(report, self._settings, self.plan.left_out, pictures)
        (directory / "report.md").write_text(page, encoding="utf-8")
        return WrittenReport(report, page, missing)


@contextmanager
def open_run(evaluation: Evaluation) -> Iterator[Run]:
    """Begin an evaluation, or resume it from the rows in its directory.

    Raises:
        InvalidRequest: the data set, a method or an option is not valid, or the directory holds another evaluation.
        NotInstalled: the library that reads the hub is missing.
    """
    plan = make_plan(
        load_problems(evaluation.dataset, evaluation.limit, evaluation.columns),
        read_contenders(evaluation.methods),
        evaluation.budgets,
        seeds=evaluation.seeds,
        timed=evaluation.timed,
        options=evaluation.options,
        has_reward_model=evaluation.has_reward_model,
        profile=evaluation.profile,
        exact_labels=evaluation.exact_labels,
    )
    learned = {} if evaluation.profile is None else dict(evaluation.profile.options)
    models = {**evaluation.models, **({"profile": learned} if learned else {})}
    settings = run_settings(plan, evaluation.options, dataset=evaluation.dataset, models=models, version=VERSION)
    with open_store(evaluation.directory, settings) as store:
        yield Run(plan, store, settings)


@asynccontextmanager
async def local_searchers(load_models: LoadModels) -> AsyncIterator[Sequence[Searcher]]:
    """One searcher in this process, whose models are closed at the end."""
    async with load_models() as models:
        yield [Worker(models)]


async def evaluate(evaluation: Evaluation, load_models: LoadModels, *, concurrency: int = 16) -> Report:
    """Run or resume an evaluation in this process and return its report, which is written too.

    Raises:
        InvalidRequest, NotInstalled: see :func:`open_run`.
        GeneratorError: see :meth:`Run.search`. The report on the stored rows is written all the same.
    """
    with open_run(evaluation) as run:
        try:
            if not run.is_complete:
                async with local_searchers(load_models) as searchers:
                    await run.search(searchers, concurrency=concurrency)
        finally:
            written = run.write_report()
    return written.report
