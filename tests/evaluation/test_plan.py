import pytest

from epf.core.errors import InvalidRequest
from epf.evaluation.plan import Plan, make_plan, read_contenders, search_seed
from epf.problem_sets.problem import Problem
from epf.search.methods import METHODS
from epf.search.options import SearchOptions

PROBLEMS = [Problem(str(i), f"What is {i} + 1?", str(i + 1)) for i in range(5)]


def plan(methods: str = "epf,best_of_n", budgets: tuple[int, ...] = (1, 4), timed: int = 2, **options: object) -> Plan:
    return make_plan(PROBLEMS, read_contenders(methods), budgets, seeds=3, timed=timed, options=options)


@pytest.mark.parametrize("timed", [0, 2, 9])
def test_every_problem_method_budget_and_seed_is_searched_once(timed: int) -> None:
    asked = plan(timed=timed)
    tasks = [*asked.alone(), *(task for group in asked.groups() for task in group)]
    keys = [task.key for task in tasks]
    expected = {
        (str(i), method, n, seed) for i in range(5) for method in ("epf", "best_of_n") for n in (1, 4) for seed in range(3)
    }
    assert len(keys) == len(set(keys)) == asked.n_tasks
    assert set(keys) == expected
    assert sum(task.alone for task in tasks) == min(timed, 5) * 4
    assert all(task.options.n_particles == task.budget for task in tasks)


def test_timed_methods_take_turns_at_being_first() -> None:
    tasks = list(plan(timed=4).alone())
    cells = [(task.name, task.budget) for task in tasks]
    places = {cell: [i % 4 for i, other in enumerate(cells) if other == cell] for cell in cells}
    assert [task.problem.id for task in tasks] == [problem for problem in "0123" for _ in range(4)]
    assert all(sorted(place) == [0, 1, 2, 3] for place in places.values())


def test_a_group_is_one_problem_and_seed() -> None:
    assert [group[0].seed for group in plan().groups()] == [0] * 3 + [1] * 5 + [2] * 5
    for group in plan().groups():
        assert len({(task.problem.id, task.seed) for task in group}) == 1
        assert len(group) == 4


def test_all_methods_get_the_seed_of_the_problem_and_problems_differ() -> None:
    seeds = {(task.problem.id, task.seed): task.options.seed for group in plan(timed=0).groups() for task in group}
    for group in plan(timed=0).groups():
        assert {task.options.seed for task in group} == {seeds[group[0].problem.id, group[0].seed]}
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**53 for seed in seeds.values() if seed is not None)


def test_a_seed_depends_on_the_problem_and_not_on_its_position() -> None:
    assert search_seed(Problem("1", "a?", "1"), 0) == search_seed(Problem("9", "a?", "1"), 0)
    assert search_seed(Problem("1", "a?", "1"), 0) != search_seed(Problem("1", "a?", "1"), 1)


def test_all_is_every_registered_method() -> None:
    assert [contender.name for contender in read_contenders("all")] == list(METHODS)


def test_a_method_has_its_own_options() -> None:
    asked = plan("pf,epf+lookahead=reuse+horizon=6+max_tokens_per_particle=50", (4,), max_steps=7)
    pf, epf = asked.cells
    assert (epf.options.lookahead, epf.options.horizon, epf.options.max_tokens_per_particle) == ("reuse", 6, 50)
    assert (pf.options.lookahead, pf.options.horizon) == ("none", SearchOptions().horizon)
    assert epf.options.max_steps == pf.options.max_steps == 7
    assert epf.contender.name == "epf+lookahead=reuse+horizon=6+max_tokens_per_particle=50"


def test_a_method_with_a_fixed_number_of_particles_has_that_budget_only() -> None:
    assert [(cell.contender.name, cell.budget) for cell in plan("sample,pf", (2, 4)).cells] == [
        ("sample", 1),
        ("pf", 2),
        ("pf", 4),
    ]


def test_a_refused_budget_is_left_out_with_its_reason() -> None:
    asked = plan("self_consistency", (1, 4, 8), max_total_tokens=6)
    assert [cell.budget for cell in asked.cells] == [1, 4]
    assert len(asked.left_out) == 1
    assert "self_consistency at budget 8: max_total_tokens" in asked.left_out[0]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("", "name at least one method"),
        ("epf,epf", "name at least one method"),
        ("all,pf", "name at least one method"),
        ("magic", "method must be one of"),
        ("epf+magic=1", "'magic' is not an option"),
        ("epf+n_particles=3", "'n_particles' is not an option"),
        ("epf+lookahead=far", "lookahead=far"),
        ("epf+horizon=soon", "horizon=soon"),
        ("pf+lookahead=reuse", "lookahead is always 'none'"),
        ("epf+horizon=0", "horizon"),
    ],
)
def test_invalid_methods_are_refused(methods: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        plan(methods)
    assert refused.value.param in ("methods", "method")
