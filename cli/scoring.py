"""The calls of ``epf score``, and what they print."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from json import dumps

from epf.cli.ordered import print_in_order
from epf.cli.solutions import Solution
from epf.cli.view import printable
from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.reward_model import RewardModel, Score
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.search.engine.checked_score import checked_score
from epf.service.http.schemas import ErrorDetail
from epf.service.searches.found import reward_model_line
from epf.service.settings import Settings

CONCURRENCY = 8
"""Maximum number of solutions that are scored at the same time."""


def score_solutions(solutions: Sequence[Solution], settings: Settings, notices: ExitStack, *, as_json: bool, one: bool) -> int:
    """Score with the reward model of the settings and print the scores in the order of the solutions; the exit code.

    Args:
        solutions: what to score.
        settings: name the reward model.
        notices: is closed when the model is loaded.
        as_json: print JSON.
        one: the only solution comes from the command line, so that its failure is that of the command.

    Raises:
        InvalidRequest: there is no reward model, or an option of it is wrong.
        RewardModelError: no server responds, or the only solution cannot be scored.
    """
    options = settings.models.reward_model
    if not isinstance(options, RewardModelOptions) or not settings.has_reward_model:
        message = "There is no reward model to score with: name one with --reward-model (see docs/models.md)."
        raise InvalidRequest(message, param="reward_model")
    with notices:
        reward_model = load_reward_model(options)
    print(f"epf: {reward_model_line(settings, reward_model)}", file=sys.stderr, flush=True)
    return asyncio.run(_score_all(solutions, reward_model, as_json=as_json, one=one))


async def _score_all(solutions: Sequence[Solution], reward_model: RewardModel, *, as_json: bool, one: bool) -> int:
    limit = asyncio.Semaphore(CONCURRENCY)
    n_failed = 0

    async def text(solution: Solution) -> str:
        nonlocal n_failed
        async with limit:
            try:
                scores = await _scores(solution, reward_model)
            except SearchServiceError as error:
                if one:
                    raise
                n_failed += 1
                return _failure(solution, error, as_json=as_json)
        if as_json:
            return _json(solution, scores, reward_model.name, one=one)
        return _table(solution, scores) if one else f"row {solution.row}: {'  '.join(f'{s.probability:.4f}' for s in scores)}"

    async with aclosing(reward_model):
        await print_in_order(text(solution) for solution in solutions)
    return 1 if n_failed else 0


async def _scores(solution: Solution, reward_model: RewardModel) -> list[Score]:
    return [await checked_score(reward_model, solution.problem, solution.steps[:n]) for n in range(1, len(solution.steps) + 1)]


def _table(solution: Solution, scores: Sequence[Score]) -> str:
    lines = [
        f"{n:4d}  {score.probability:6.4f}  {printable(step)}" for n, (score, step) in enumerate(_both(solution, scores), 1)
    ]
    return "\n".join(("step   score  text", *lines))


def _both(solution: Solution, scores: Sequence[Score]) -> list[tuple[Score, str]]:
    return list(zip(scores, solution.steps, strict=True))


def _json(solution: Solution, scores: Sequence[Score], model: str, *, one: bool) -> str:
    row = {} if one else {"row": solution.row}
    return dumps(
        {
            **row,
            "problem": solution.problem,
            "steps": solution.steps,
            "model": model,
            "scores": [score.probability for score in scores],
            "prm_tokens": sum(score.n_tokens for score in scores),
        },
        allow_nan=False,
    )


def _failure(solution: Solution, error: SearchServiceError, *, as_json: bool) -> str:
    if not as_json:
        return f"row {solution.row}: failed: {printable(error.message)}"
    detail = ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code)
    return dumps({"row": solution.row, "problem": solution.problem, "error": detail.model_dump()})
