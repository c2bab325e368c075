"""The whole engine against exact enumeration: the kernel's guarantees survive steps, scores, reused successors and slots.

A language model of known probabilities writes two or three binary steps. The particles' normalised weights times the evidence
are an unbiased estimate of p(x) odds(x), the unnormalised target of incremental weighting.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from epf.core.generator import Step
from epf.search import asolve
from epf.search.answers.checker import AnswerChecker
from epf.search.smc.weights import FloatArray
from tests.search.scripted import Call, Generator, RewardModel, step

P_ONE = {"": 0.3, "0": 0.6, "1": 0.5, "00": 0.4, "01": 0.8}
SCORE = {"0": 0.5, "1": 0.7, "00": 0.35, "01": 0.6, "10": 0.3, "11": 0.75, "000": 0.2, "001": 0.7, "010": 0.8, "011": 0.4}
LEAVES = ["10", "11", "000", "001", "010", "011"]
N_SEEDS = 150


def write(call: Call) -> Step:
    path = call.prefix.replace("\n", "")
    path += "1" if np.random.default_rng(call.seed).random() < P_ONE[path] else "0"
    return step(f"{path[-1]}\\boxed{{{path}}}", "eos") if path in LEAVES else step(path[-1])


def judge(steps: Sequence[str]) -> float:
    return SCORE["".join(text[0] for text in steps)]


def target() -> dict[str, float]:
    gamma = {}
    for leaf in LEAVES:
        p = math.prod(P_ONE[leaf[:i]] if leaf[i] == "1" else 1 - P_ONE[leaf[:i]] for i in range(len(leaf)))
        gamma[leaf] = p * SCORE[leaf] / (1 - SCORE[leaf])
    return gamma


def root_target() -> dict[str, float]:
    """p(x) times the square root of the odds."""
    return {leaf: gamma * (SCORE[leaf] / (1 - SCORE[leaf])) ** -0.5 for leaf, gamma in target().items()}


SLOPES = (2.0, 0.25, 0.75)


def sloped_target() -> dict[str, float]:
    """p(x) times the odds to the power of the slope at the solution's depth."""
    return {leaf: gamma * (SCORE[leaf] / (1 - SCORE[leaf])) ** (SLOPES[len(leaf) - 1] - 1) for leaf, gamma in target().items()}


def intrinsic_target() -> dict[str, float]:
    """p(x) times the geometric mean of each step's token probabilities."""
    return {
        leaf: gamma
        * (1 - SCORE[leaf])
        / SCORE[leaf]
        * math.prod(math.exp(np.mean(log_probs(leaf[:i]))) for i in prefixes(leaf))
        for leaf, gamma in target().items()
    }


def prefixes(leaf: str) -> range:
    return range(1, len(leaf) + 1)


def log_probs(path: str) -> list[float]:
    """Log probabilities of the tokens of the step that ends at ``path``; its value has no other effect."""
    return [-0.1 - 0.4 * SCORE[path] * len(path), -2.0 * (1 - SCORE[path])]


def write_surely(call: Call) -> Step:
    made = write(call)
    path = call.prefix.replace("\n", "") + made.text[0]
    return replace(made, log_probs=tuple(log_probs(path) * (len(made.token_ids) // 2)))


async def estimates(options: dict[str, Any]) -> FloatArray:
    table = np.zeros((N_SEEDS, len(LEAVES)))
    generator, reward_model, checker = Generator(write_surely), RewardModel(judge), AnswerChecker()
    for seed, row in enumerate(table):
        result = await asolve(
            "problem",
            generator=generator,
            reward_model=reward_model,
            seed=seed,
            checker=checker,
            **{"n_particles": 3, **options},
        )
        log_weights = np.array([particle.log_weight for particle in result.particles])
        weights = np.exp(log_weights - log_weights.max())
        for particle, weight in zip(result.particles, weights / weights.sum(), strict=True):
            row[LEAVES.index("".join(s.text[0] for s in particle.steps))] += weight * math.exp(result.log_evidence)
    await checker.aclose()
    return table


INCREMENTAL: dict[str, Any] = {"weighting": "incremental", "ess_threshold": 0.9, "odds_power": 1.0}
ONCE: dict[str, Any] = {"method": "pf_once", "ess_threshold": 0.999}
POOL: dict[str, Any] = {"method": "epf_pool", "ess_threshold": 0.95, "pool_fraction": 0.5}
INTRINSIC: dict[str, Any] = {"method": "ipf", "entropy_zscore": False, "ess_threshold": 0.999}


@pytest.mark.parametrize(
    ("options", "gamma"),
    [
        ({**INCREMENTAL, "annealing": "none"}, target),
        ({**INCREMENTAL, "annealing": "ess", "early_phase": 1.0}, target),
        ({**INCREMENTAL, "annealing": "ess", "lookahead": "redraw"}, target),
        ({**INCREMENTAL, "annealing": "none", "lookahead": "reuse", "lookahead_weight": 0.0}, target),
        ({**INCREMENTAL, "annealing": "none", "odds_power": 0.5}, root_target),
        ({**INCREMENTAL, "lookahead": "redraw", "odds_power": 0.5}, root_target),
        ({**ONCE, "odds_power": 1.0}, target),
        ({**ONCE, "odds_power": 0.5}, root_target),
        ({**ONCE, "odds_power": 1.0, "slopes": SLOPES}, sloped_target),
        ({**INCREMENTAL, "lookahead": "redraw", "slopes": SLOPES}, sloped_target),
        ({**INCREMENTAL, "annealing": "none", "n_particles": 7, "waves": 3, "certainty": 1.0}, target),
        ({"method": "weighted_best_of_n"}, target),
        ({"method": "adaptive", "certainty": 1.0}, target),
        ({**POOL, "annealing": "none"}, target),
        ({**POOL, "annealing": "base", "early_phase": 1.0}, target),
        ({**INTRINSIC, "annealing": "none"}, intrinsic_target),
        ({**INTRINSIC, "annealing": "base", "early_phase": 1.0}, intrinsic_target),
    ],
    ids=[
        "plain",
        "annealed",
        "redraw",
        "reuse without guide",
        "root of odds",
        "root of odds, redraw",
        "once",
        "once, root of odds",
        "once, slopes",
        "slopes, redraw",
        "waves",
        "best of n",
        "adaptive",
        "pool",
        "pool, annealed",
        "intrinsic",
        "intrinsic, annealed",
    ],
)
@pytest.mark.slow
def test_weighted_answers_match_enumeration(options: dict[str, Any], gamma: Callable[[], dict[str, float]]) -> None:
    table = asyncio.run(estimates(options))
    exact = np.array(list(gamma().values()))
    table, exact = np.column_stack([table, table.sum(axis=1)]), np.append(exact, exact.sum())
    standard_error = table.std(axis=0, ddof=1) / np.sqrt(N_SEEDS)
    assert (np.abs(table.mean(axis=0) - exact) < 4 * standard_error).all()
