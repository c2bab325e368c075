"""Searches with the embedded pair, alone and with shared draws, and with models that fail."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling, Step
from epf.evaluation.calibrate import answered
from epf.evaluation.plan import Key, Plan, Task, make_plan, read_contenders
from epf.evaluation.rows import Row
from epf.evaluation.schedule import FAILURES_IN_A_ROW, run_tasks
from epf.evaluation.worker import Worker
from epf.problem_sets.problem import Problem, read_problem
from epf.problem_sets.registry import load_problems
from epf.service.searches.models import open_models, with_checker
from epf.service.settings import Settings
from tests.evaluation.made import results
from tests.fakes import N_STEPS, ScriptedGenerator, ScriptedRewardModel


def plan(problems: Iterable[Problem], methods: str, budgets: tuple[int, ...], *, seeds: int = 1, timed: int = 0) -> Plan:
    return make_plan(list(problems), read_contenders(methods), budgets, seeds=seeds, timed=timed, options={})


def embedded_rows(asked: Plan, *, concurrency: int = 16) -> dict[object, Row]:
    async def main() -> list[Row]:
        rows: list[Row] = []
        async with open_models(Settings(generator="stories")) as models:
            await run_tasks(asked, [Worker(models)], concurrency=concurrency, done=(), emit=rows.append)
        return rows

    return {row.key: row for row in asyncio.run(main())}


@pytest.mark.slow
def test_shared_draws_and_concurrent_searches_change_no_result() -> None:
    methods, budgets, problems = "all,epf+lookahead=reuse", (1, 4), load_problems("synthetic", 2)
    alone = embedded_rows(plan(problems, methods, budgets, timed=2))
    shared = embedded_rows(plan(problems, methods, budgets))
    assert shared.keys() == alone.keys()
    assert [results(shared[key]) for key in alone] == [results(row) for row in alone.values()]
    assert all(row.seconds is not None and row.seconds > 0 for row in alone.values())
    assert all(row.seconds is None for row in shared.values())


def scripted_rows(asked: Plan, generator: ScriptedGenerator, *, done: Iterable[Key] = ()) -> list[Row]:
    rows: list[Row] = []

    async def main() -> None:
        async with with_checker(generator, ScriptedRewardModel()) as models:
            await run_tasks(asked, [Worker(models)], concurrency=2, done=set(done), emit=rows.append)

    try:
        asyncio.run(main())
    except GeneratorError as error:
        assert "in a row failed" in error.message  # noqa: PT017
    return rows


def test_a_row_has_what_the_report_needs() -> None:
    (row,) = scripted_rows(plan([Problem("1", "a?", "\\frac{84}{2}")], "epf", (8,)), ScriptedGenerator())
    assert (row.answer, row.correct, row.error) == ("42", True, None)
    assert row.generated_tokens == 8 * N_STEPS
    assert row.prompt_tokens == 2
    assert len(row.rounds.ess) == len(row.rounds.temperature) == len(row.rounds.distinct_ancestors) == N_STEPS
    assert sum(solution.copies for solution in row.traced) == 8
    assert {len(solution.scores) for solution in row.traced} == {N_STEPS}
    assert all(solution.right == (solution.scores[-1] > 0.5) for solution in row.traced)


@pytest.mark.parametrize(("gold", "correct"), [("There is not enough information.", True), ("7", False)])
def test_a_search_that_finds_the_information_insufficient_is_right_where_that_is_the_answer(gold: str, correct: bool) -> None:
    class Unable(ScriptedGenerator):
        async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
            return Step((1,), "There is not enough information.", "eos", (-0.1,))

    problem = read_problem({"id": "1", "problem": "Ann has 4 or 3 more?", "answer": gold}, where="Row 1")
    (row,) = scripted_rows(plan([problem], "epf", (2,)), Unable())
    assert (row.answer, row.correct, row.error) == (None, correct, None)
    assert all(solution.right == correct for solution in row.traced)
    assert row.evidence is not None
    assert (row.evidence.n_given, row.evidence.n_unused) == (2, 0)
    assert answered([row]) == [row]


def test_every_method_counts_its_own_tokens_of_shared_draws() -> None:
    rows = scripted_rows(plan([Problem("1", "a?", "42")], "best_of_n,self_consistency", (2, 8)), ScriptedGenerator())
    assert {row.generated_tokens for row in rows if row.budget == 8} == {8 * N_STEPS}
    assert {row.generated_tokens for row in rows if row.budget == 2} == {2 * N_STEPS}


def test_shared_draws_are_drawn_once() -> None:
    class Counting(ScriptedGenerator):
        n_calls = 0

        async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
            self.n_calls += 1
            return await super().step(prefix_ids, sampling, seed)

    generator = Counting()
    scripted_rows(plan([Problem("1", "a?", "42")], "best_of_n,weighted_best_of_n,self_consistency", (1, 2, 8)), generator)
    # The draws of eight slots, some of which the script makes the same.
    assert generator.n_calls <= 8 * N_STEPS


def test_a_failure_is_a_row_that_is_not_final() -> None:
    asked = plan([Problem("1", "a?", "42")], "epf,pf", (2,))
    rows = scripted_rows(asked, ScriptedGenerator(error=GeneratorError("the engine is down")))
    assert [(row.error and (row.error.code, row.error.message), row.final) for row in rows] == [
        (("generator_error", "the engine is down"), False)
    ] * 2


def test_a_search_that_can_never_succeed_is_final_and_wrong() -> None:
    (row,) = scripted_rows(plan([Problem("1", "long " * 2000, "42")], "epf", (2,)), ScriptedGenerator())
    assert row.error is not None
    assert row.error.code == "context_length_exceeded"
    assert row.final
    assert not row.correct


def test_a_run_stops_after_too_many_failures_in_a_row() -> None:
    asked = plan([Problem(str(i), f"{i}?", "42") for i in range(50)], "epf,pf", (1, 2))
    rows = scripted_rows(asked, ScriptedGenerator(error=GeneratorError("the engine is down")))
    assert FAILURES_IN_A_ROW <= len(rows) <= FAILURES_IN_A_ROW + 1


def test_completed_searches_are_not_repeated() -> None:
    asked = plan([Problem(str(i), f"{i}?", "42") for i in range(3)], "epf,pf", (1, 2), seeds=2, timed=1)
    done = {("0", "epf", 1, 0), ("1", "pf", 2, 1), ("2", "epf", 2, 0)}
    rows = scripted_rows(asked, ScriptedGenerator(), done=done)
    assert len(rows) == asked.n_tasks - 3
    assert not {row.key for row in rows} & done


class RecordingSearcher:
    """A searcher that keeps the groups of its tasks and lets others run in between."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.groups: set[tuple[str, int]] = set()

    async def run(self, task: Task) -> Row:
        self.groups.add((task.problem.id, task.seed))
        await asyncio.sleep(0)
        return await self.worker.run(task)


def test_searchers_take_whole_groups() -> None:
    async def main() -> list[set[tuple[str, int]]]:
        async with with_checker(ScriptedGenerator(), ScriptedRewardModel()) as models:
            searchers = [RecordingSearcher(Worker(models)) for _ in range(3)]
            asked = plan([Problem(str(i), f"{i}?", "42") for i in range(8)], "epf,pf", (1, 2), seeds=2)
            await run_tasks(asked, searchers, concurrency=2, done=(), emit=lambda row: None)
        return [searcher.groups for searcher in searchers]

    groups = asyncio.run(main())
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 16


def test_a_solution_that_was_cut_short_is_never_right() -> None:
    class Cut(ScriptedGenerator):
        async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
            step = await super().step(prefix_ids, sampling, seed)
            return replace(step, finish="length") if step.finish == "eos" else step

    problem = [Problem("1", "a?", "42")]
    asked = make_plan(problem, read_contenders("epf"), (4,), seeds=1, timed=0, options={"max_steps": N_STEPS})
    (row,) = scripted_rows(asked, Cut())
    assert (row.answer, row.stop_reason) == (None, "max_steps")
    assert row.traced
    assert not any(solution.right for solution in row.traced)


@pytest.mark.parametrize("gold", ["41", "43"])
def test_a_wrong_answer_is_wrong(gold: str) -> None:
    (row,) = scripted_rows(plan([Problem("1", "a?", gold)], "epf", (8,)), ScriptedGenerator())
    assert not row.correct
