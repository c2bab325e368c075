"""Rows as a run would write them, and the part of a row that is the same on every run."""

from dataclasses import fields

from epf.evaluation.rows import Failure, Rounds, Row, ScoredSolution
from epf.search.confidence.evidence import Evidence
from epf.search.result import WarningCode

EVIDENCE = Evidence(4, 4, 4, 0.9, None, 3.6, 3.6, -0.1, 2, 2, 0, 0, 0)


def row(
    problem: str,
    method: str = "epf",
    budget: int = 4,
    seed: int = 0,
    *,
    correct: bool = True,
    tokens: int = 100,
    traced: tuple[ScoredSolution, ...] = (),
    rounds: Rounds | None = None,
    error: Failure | None = None,
    seconds: float | None = None,
    warnings: tuple[WarningCode, ...] | None = (),
    confidence: float = 1.0,
    evidence: Evidence | None = EVIDENCE,
    n_right: int | None = None,
) -> Row:
    return Row(
        problem=problem,
        method=method,
        budget=budget,
        seed=seed,
        search_seed=1,
        gold="42",
        answer="42" if correct else "41",
        correct=correct,
        confidence=confidence,
        stop_reason="finished",
        prompt_tokens=10,
        generated_tokens=tokens,
        discarded_tokens=0,
        prm_calls=1,
        rounds=rounds or Rounds(),
        traced=traced,
        error=error,
        prm_tokens=1,
        seconds=seconds,
        share=1.0,
        warnings=warnings,
        evidence=evidence,
        models=None if evidence is None else ("generator", "prm"),
        n_right=n_right,
    )


OUTAGE = Failure("generator_error", "the engine is down", retryable=True)
DEAD = Failure("all_particles_dead", "No particle produced a usable step.", retryable=False)

MEASURED = ("seconds", "prm_tokens")


def results(row: Row) -> dict[str, object]:
    """A row without its measurements: equal for two runs with the same settings on the embedded pair."""
    return {field.name: getattr(row, field.name) for field in fields(row) if field.name not in MEASURED}
