"""One row of ``results.jsonl``: a search, whether its answer is right, and what the report needs.

``seconds`` and ``prm_tokens`` are **measurements**: they depend on what else ran and on what the engines had cached. Everything
else is a **result**: with the embedded models the same settings give the same results, wherever and in whatever order the
searches run.
"""

from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from epf.evaluation.plan import Key, Task
from epf.search.confidence.evidence import Evidence
from epf.search.result import SearchResult, StepRecord, WarningCode

ModelNames = tuple[str, str | None]
"""Names of a generator and of its reward model, None without one."""

DECIMALS = 4
EVIDENCE_DECIMALS = 6
"""Scores near 0 and 1 keep more decimals, because their log odds matter."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a search has no result.

    Attributes:
        code: code of the error.
        message: its message.
        retryable: whether the same search may succeed when the run is resumed. A search that cannot, such as one whose
            particles all died, counts as wrong.
    """

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Rounds:
    """Figures of the resampling rounds, one entry per round: see :class:`epf.search.result.StepRecord`."""

    ess: tuple[float, ...] = ()
    entropy: tuple[float, ...] = ()
    temperature: tuple[float, ...] = ()
    distinct_ancestors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredSolution:
    """A final solution that was scored after every step, once for all its copies.

    Attributes:
        copies: number of particles that hold it.
        right: whether it ends with the right answer.
        scores: the reward model's probability after each step.
    """

    copies: int
    right: bool
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One search.

    Attributes:
        problem, gold: the problem's id and right answer.
        method, budget, seed: as the command names them; ``budget`` is the number of particles.
        search_seed: the seed of the search itself.
        answer, correct, confidence, stop_reason: the outcome.
        prompt_tokens, generated_tokens, discarded_tokens, prm_calls: cost of this search on its own, even if it shared draws.
        rounds: figures of the resampling rounds.
        traced: the final solutions.
        error: why there is no answer, if the search failed; then ``correct`` is false.
        prm_tokens: number of tokens that the reward model computed, without those in its cache.
        seconds: duration of a search that ran alone, else None.
        share: share of the vote that the answer got; None in rows of versions that did not record it.
        warnings: codes of the result's warnings; None in rows of versions that did not record them.
        evidence: what ``confidence`` was computed from; None without an answer, and in rows of versions that did not record it.
        models: names of the generator and the reward model, None without one, where there is evidence.
        n_right: number of final particles with the right answer; None in rows of versions that did not record it.
    """

    problem: str
    method: str
    budget: int
    seed: int
    search_seed: int
    gold: str
    answer: str | None
    correct: bool
    confidence: float
    stop_reason: str | None
    prompt_tokens: int
    generated_tokens: int
    discarded_tokens: int
    prm_calls: int
    rounds: Rounds
    traced: tuple[ScoredSolution, ...]
    error: Failure | None
    prm_tokens: int
    seconds: float | None
    share: float | None = None
    warnings: tuple[WarningCode, ...] | None = None
    evidence: Evidence | None = None
    models: ModelNames | None = None
    n_right: int | None = None

    @property
    def key(self) -> Key:
        """Problem, method, budget and seed."""
        return self.problem, self.method, self.budget, self.seed

    @property
    def final(self) -> bool:
        """Whether the search is not retried when the run is resumed."""
        return self.error is None or not self.error.retryable


ROW = TypeAdapter(Row)


def row_of(
    task: Task,
    result: SearchResult,
    *,
    correct: bool,
    right: tuple[bool, ...],
    models: ModelNames | None = None,
) -> Row:
    """The row of a search that ended; ``right`` states for each particle whether its answer is right."""
    used = result.usage
    return replace(
        _blank(task),
        answer=result.answer,
        correct=correct,
        confidence=round(result.confidence, DECIMALS),
        stop_reason=result.stop_reason,
        prompt_tokens=used.prompt_tokens,
        generated_tokens=used.generated_tokens,
        discarded_tokens=used.discarded_tokens,
        prm_calls=used.prm_calls,
        rounds=_rounds(result.steps),
        traced=_traced(result, right),
        prm_tokens=used.prm_tokens,
        seconds=round(used.total_s, DECIMALS) if task.alone else None,
        evidence=None if result.evidence is None else _rounded(result.evidence),
        models=None if result.evidence is None else models,
        share=round(result.share, DECIMALS),
        warnings=tuple(warning.code for warning in result.warnings),
        n_right=sum(right),
    )


def failed_row(task: Task, failure: Failure, generated_tokens: int) -> Row:
    """The row of a search that failed after ``generated_tokens`` tokens, none of which is in a solution."""
    return replace(_blank(task), error=failure, generated_tokens=generated_tokens, discarded_tokens=generated_tokens)


def _blank(task: Task) -> Row:
    assert task.options.seed is not None, "a plan gives every search its seed"
    return Row(
        problem=task.problem.id,
        method=task.name,
        budget=task.budget,
        seed=task.seed,
        search_seed=task.options.seed,
        gold=task.problem.gold,
        answer=None,
        correct=False,
        confidence=0.0,
        stop_reason=None,
        prompt_tokens=0,
        generated_tokens=0,
        discarded_tokens=0,
        prm_calls=0,
        rounds=Rounds(),
        traced=(),
        error=None,
        prm_tokens=0,
        seconds=None,
        n_right=0,
    )


def _rounds(records: tuple[StepRecord, ...]) -> Rounds:
    return Rounds(
        ess=tuple(round(record.ess, DECIMALS) for record in records),
        entropy=tuple(round(record.entropy, DECIMALS) for record in records),
        temperature=tuple(round(record.temperature, DECIMALS) for record in records),
        distinct_ancestors=tuple(record.distinct_ancestors for record in records),
    )


def _rounded(evidence: Evidence) -> Evidence:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, EVIDENCE_DECIMALS)

    return replace(
        evidence,
        score=rounded(evidence.score),
        rival=rounded(evidence.rival),
        support=round(evidence.support, EVIDENCE_DECIMALS),
        answered=round(evidence.answered, EVIDENCE_DECIMALS),
        log_prob=rounded(evidence.log_prob),
    )


def _traced(result: SearchResult, right: tuple[bool, ...]) -> tuple[ScoredSolution, ...]:
    """Copies share the objects of their steps, so particles with the same objects hold the same solution."""
    found: dict[tuple[int, ...], ScoredSolution] = {}
    for particle, is_right in zip(result.particles, right, strict=True):
        if not particle.scores or len(particle.scores) != len(particle.steps):
            continue
        key = tuple(id(step) for step in particle.steps)
        scores = tuple(round(score, EVIDENCE_DECIMALS) for score in particle.scores)
        copies = found[key].copies + 1 if key in found else 1
        found[key] = ScoredSolution(copies, is_right, scores)
    return tuple(found.values())
