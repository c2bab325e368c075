"""One row of ``results.jsonl``: a search, whether it was right, and all that the report needs of it.

``seconds`` and ``prm_tokens`` are **measured**: they depend on what else ran and on what the engines had cached. Everything
else is a **result**: with the embedded pair the same settings give the same results, wherever and in whatever order searches
run.
"""

from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from epf.evaluation.plan import Key, Task
from epf.search.result import SearchResult, StepRecord

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a search has no result.

    Attributes:
        retryable: the same search may succeed when the run is resumed. One that may not, such as a search whose particles all
            died, counts as answered wrong.
    """

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Rounds:
    """What each resampling round saw, one entry a round: see :class:`epf.search.result.StepRecord`."""

    ess: tuple[float, ...] = ()
    entropy: tuple[float, ...] = ()
    temperature: tuple[float, ...] = ()
    distinct_ancestors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Traced:
    """A final solution that was judged after every step, once for all its copies.

    Attributes:
        copies: particles that hold it.
        right: whether it ends with the right answer.
        scores: reward model's probability after each step.
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
        answer, correct, confidence, stop_reason: what came out.
        prompt_tokens, generated_tokens, discarded_tokens, prm_calls: cost of this search by itself, also where it shared draws.
        rounds, traced: what happened on the way.
        error: why there is no answer, if the search failed; then ``correct`` is false.
        prm_tokens: tokens that the reward model computed, less what its cache held.
        seconds: of a search that ran alone, else None.
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
    traced: tuple[Traced, ...]
    error: Failure | None
    prm_tokens: int
    seconds: float | None

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.problem, self.method, self.budget, self.seed

    @property
    def final(self) -> bool:
        """Whether this search is not tried again."""
        return self.error is None or not self.error.retryable


ROW = TypeAdapter(Row)


def row_of(task: Task, result: SearchResult, *, correct: bool, right: tuple[bool, ...]) -> Row:
    """The row of a search that ended; ``right`` tells for each particle whether its answer is the right one."""
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
    )


def failed_row(task: Task, failure: Failure, generated_tokens: int) -> Row:
    """The row of a search that failed after so many tokens, none of which is in a solution."""
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
    )


def _rounds(records: tuple[StepRecord, ...]) -> Rounds:
    return Rounds(
        ess=tuple(round(record.ess, DECIMALS) for record in records),
        entropy=tuple(round(record.entropy, DECIMALS) for record in records),
        temperature=tuple(round(record.temperature, DECIMALS) for record in records),
        distinct_ancestors=tuple(record.distinct_ancestors for record in records),
    )


def _traced(result: SearchResult, right: tuple[bool, ...]) -> tuple[Traced, ...]:
    """Copies share the objects of their steps, so those tell which particles are one solution."""
    found: dict[tuple[int, ...], Traced] = {}
    for particle, is_right in zip(result.particles, right, strict=True):
        if not particle.scores or len(particle.scores) != len(particle.steps):
            continue
        key = tuple(id(step) for step in particle.steps)
        scores = tuple(round(score, DECIMALS) for score in particle.scores)
        copies = found[key].copies + 1 if key in found else 1
        found[key] = Traced(copies, is_right, scores)
    return tuple(found.values())
