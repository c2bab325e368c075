"""The worlds in which filters are compared: their arithmetic, the loop around the kernel, and figures known from elsewhere."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.regimes.__main__ import cells, measured
from benchmarks.regimes.cells import ALL, FREE, METHODS, PLACES, PLAIN, Place
from benchmarks.regimes.countdown import Countdown
from benchmarks.regimes.distinct import temperatures
from benchmarks.regimes.expected import EXPECTED, tolerance
from benchmarks.regimes.filters import Filter, Run, run, solved
from benchmarks.regimes.finished import add, load
from benchmarks.regimes.forks import Forks
from benchmarks.regimes.measure import Cell, Figure, learned_slopes, measure
from benchmarks.regimes.moves import game
from benchmarks.regimes.plan import Plan
from epf.search.smc.filter import FilterConfig

WORLDS: list[Any] = [Plan(), Forks(), Countdown(4, 2.5, kept=True)]


def ran(world: Any, filter_: Filter, n: int = 8, n_problems: int = 20) -> Run:
    problems = world.draw(n_problems, np.random.default_rng(1))
    return run(problems, world, filter_, n, np.random.default_rng(2), (1.0,) * world.n_steps)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_free_samples_are_never_drawn_and_pay_for_every_step_once(world: Any) -> None:
    for lookahead in (False, True):  # without a draw every successor that was looked at is kept
        free = ran(world, Filter(FREE, lookahead=lookahead))
        assert (free.draws, free.steps) == (0.0, 8.0 * world.n_steps)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_looking_ahead_costs_steps_of_dropped_particles_only(world: Any) -> None:
    ahead = ran(world, Filter(PLAIN, lookahead=True))
    assert ahead.draws == world.n_steps - 1
    assert 1.0 < ahead.steps / (8.0 * world.n_steps) < 2.0


def test_one_island_of_all_particles_is_the_whole_filter() -> None:
    whole, island = (ran(Forks(), Filter(PLAIN, island=size)) for size in (None, 8))
    np.testing.assert_array_equal(whole.readings, island.readings)


def test_islands_of_one_never_drop_a_particle() -> None:
    alone, free = ran(Plan(), Filter(PLAIN, island=1)), ran(Plan(), Filter(FREE))
    assert alone.draws == Plan().n_steps - 1
    assert alone.right.mean() == pytest.approx(free.right.mean(), abs=0.15)
    assert ran(Plan(), Filter(PLAIN)).right.mean() > free.right.mean() + 0.05


def test_right_particles_win_a_vote_against_half_of_the_wrong_ones() -> None:
    right = np.array([[True, False, False], [True, False, False]])
    readings = np.array([[0.0, 0.5, 0.5], [0.0, 3.0, 3.0]])
    of = Run(right, readings, np.log([[1.0, 3.0, 3.0], [4.0, 1.0, 1.0]]), 0.0, 0.0)
    assert solved(of, "vote").tolist() == [False, False]
    assert solved(Run(right, -readings, readings, 0.0, 0.0), "vote").tolist() == [True, True]
    assert solved(of, "weighted").tolist() == [False, True]
    assert solved(of, "best").tolist() == [False, False]
    assert solved(of, "any").tolist() == [True, True]


def test_the_last_move_of_countdown_is_seen_or_found_by_chance() -> None:
    """1 and 2 make 3, 2, 1 and 2."""
    (last,), hits = game(np.array([[1, 2]]), 3).depths, game(np.array([[1, 2]]), 3).hits
    assert last.values == pytest.approx([0.8 + 0.2 / 4])
    assert hits.tolist() == [False, False, True]
    assert game(np.array([[1, 2]]), 7).depths[0].values == pytest.approx([0.0])


@pytest.mark.parametrize("world", [Countdown(4), Countdown(5)])
def test_the_policy_succeeds_as_often_as_its_value_says(world: Countdown) -> None:
    problems = world.draw(3, np.random.default_rng(0))
    values = np.array([g.depths[0].values[0] for g in problems.games])
    particles, rng, n = problems.start(4000), np.random.default_rng(1), 4000
    for t in range(1, world.n_steps + 1):
        particles = problems.step(particles, t, rng)
    found = problems.right(particles, rng).mean(axis=1)
    assert (np.abs(found - values) < 4 * np.sqrt(values * (1 - values) / n) + 1e-9).all()


def test_all_who_take_a_way_share_its_misjudgement_or_nobody_does() -> None:
    for shared in (True, False):
        problems = Forks(shared=shared, early_slope=0.5).draw(1, np.random.default_rng(0))
        particles = problems.step(problems.start(200), 1, np.random.default_rng(1))
        assert len(np.unique(particles.reading)) == (3 if shared else 200)


def test_equal_prefixes_count_as_one() -> None:
    log_weights = np.log([[0.25, 0.25, 0.25, 0.25]] * 2)
    prefixes = np.array([[0, 1, 2, 3], [7, 7, 7, 7]])
    assert temperatures(log_weights, prefixes, 0.25, threshold=0.5, early_phase=0.5).tolist() == [1.0, 3.0]
    assert temperatures(log_weights, prefixes, 0.5, threshold=0.5, early_phase=0.5).tolist() == [1.0, 1.0]


def test_where_no_prefixes_are_equal_distinct_ones_anneal_as_the_effective_sample_size_does() -> None:
    by_ess, distinct = ran(Plan(), Filter(FilterConfig())), ran(Plan(), Filter(PLAIN, distinct=True))
    np.testing.assert_array_equal(by_ess.readings, distinct.readings)


def test_slopes_are_one_where_readings_are_exact_and_small_where_they_are_noise() -> None:
    assert learned_slopes(Forks(stages=1, early_slope=0.5))[0] == pytest.approx(1.0, abs=0.2)
    assert learned_slopes(Forks(stages=1, early_slope=2.0))[0] == pytest.approx(0.25, abs=0.05)
    assert learned_slopes(Plan(early_slope=4.0))[0] < 0.2


def test_every_expected_figure_is_measured() -> None:
    measured_ones = {(cell.place, cell.n, method) for cell in cells() for method in cell.methods}
    assert set(EXPECTED) <= measured_ones
    assert {method for place in ALL.values() for method in place.methods} == set(METHODS)
    assert all("pf" in place.methods for place in ALL.values())


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path, cell = tmp_path / "runs" / "finished.jsonl", Cell("countdown, 5 numbers, exact", 8, ("pf",))
    place = PLACES[cell.place]
    figure = Figure((place.n_seeds,) * place.n_problems, place.n_seeds, 32.0, 3.0)
    load(path, PLACES)
    add(path, cell.place, cell.n, {"pf": figure})
    with path.open("a") as file:
        file.write(json.dumps({"place": cell.place})[:-4])
    assert measured([cell], path, 1) == {(cell.place, 8, "pf"): figure}
    assert path.read_text().endswith("}\n")
    assert load(path, {cell.place: Place(place.world, place.methods, (8,), 10, 1)}) == {}


SAMPLED = [
    *itertools.product(
        ["plan, noisy early"],
        [16],
        ["best_of_n", "pf", "epf_published", "epf_published, uncorrected look-ahead", "pf, calibrated"],
    ),
    *itertools.product(
        ["forks, 3 stages of 3 ways"],
        [16],
        ["pf", "epf_published, uncorrected look-ahead", "pf, guesses x 0.1", "pf_once, guesses x 0.25", "pf, islands of 4"],
    ),
    *itertools.product(["countdown, 5 numbers, exact"], [8], ["any right", "pf"]),
]


@pytest.mark.parametrize(("place", "n", "method"), SAMPLED)
@pytest.mark.slow
def test_a_small_sample_agrees_with_the_figures_of_another_implementation(place: str, n: int, method: str) -> None:
    where = PLACES[place]
    small = Place(where.world, where.methods, (n,), 400 if where.n_problems > 400 else where.n_problems, 1)
    shares = measure(Cell(place, n, (method,)), small)[method].shares
    error = 100 * shares.std(ddof=1) / np.sqrt(shares.size)
    assert abs(100 * shares.mean() - EXPECTED[place, n, method]) < tolerance(place) + 3.5 * max(error, 1.0)


def test_the_kernel_under_test_is_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its weights the filter solves what free samples solve."""
    calls = []
    from epf.search.smc import filter as smc

    original = smc.step
    monkeypatch.setattr(smc, "step", lambda *args: calls.append(args[3]) or original(*args))  # type: ignore[func-returns-value]
    ran(Plan(), Filter(FilterConfig(annealing="cess")), n_problems=3)
    assert {(config.annealing, config.horizon) for config in calls} == {("cess", 8)}
    assert len(calls) == 3 * 8
