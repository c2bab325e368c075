"""A row as the result of a search, so that what draws a search can draw it. A row has scores and no texts."""

from collections.abc import Sequence
from typing import Any

from epf.core.errors import InvalidRequest
from epf.evaluation.rows import Row


def is_recorded(row: Row) -> bool:
    """Whether a row has anything to draw: scored solutions. Methods without a reward model have none."""
    return bool(row.traced)


def result_of(row: Row) -> dict[str, Any]:
    """A row in the form of a result of ``POST /solve``, with the scores of the final solutions and the figures of the rounds.

    Raises:
        InvalidRequest: the search failed.
    """
    if row.error is not None:
        raise InvalidRequest(f"This search failed: {row.error.message}", param="row")
    return {
        "answer": row.answer,
        "confidence": row.confidence,
        "share": row.share or 0.0,
        "solution": "",
        "distribution": [],
        "answer_entropy": 0.0,
        "stop_reason": row.stop_reason,
        "warnings": [],
        "method": row.method,
        "seed": row.search_seed,
        "usage": {
            "generated_tokens": row.generated_tokens,
            "discarded_tokens": row.discarded_tokens,
            "prm_tokens": row.prm_tokens,
            "total_s": row.seconds,
        },
        "steps": _rounds(row),
        "particles": _particles(row),
    }


def _rounds(row: Row) -> list[dict[str, Any]]:
    rounds = zip(row.rounds.ess, row.rounds.entropy, row.rounds.temperature, row.rounds.distinct_ancestors, strict=True)
    return [
        {
            "t": t,
            "ess": ess,
            "entropy": entropy,
            "temperature": temperature,
            "resampled": True,
            "distinct_ancestors": distinct,
        }
        for t, (ess, entropy, temperature, distinct) in enumerate(rounds, start=1)
    ]


def _particles(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "steps": _steps(solution.scores),
            "scores": list(solution.scores),
            "lineage": [],
            "finished": True,
            "answer": "right" if solution.right else "wrong",
            "log_weight": None,
        }
        for solution in row.traced
        for _ in range(solution.copies)
    ]


def _steps(scores: Sequence[float]) -> list[dict[str, Any]]:
    last = len(scores) - 1
    return [{"text": "", "finish": "eos" if i == last else "separator", "n_tokens": 0} for i in range(len(scores))]
