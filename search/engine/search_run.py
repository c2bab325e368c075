"""What a method may do during one search: draw steps, have them judged, share out the budget, tell what happens."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from epf.core.errors import ContextTooLong, GeneratorError, SearchServiceError
from epf.core.generator import Generator, Sampling, Step
from epf.core.reward_model import RewardModel
from epf.core.single_flight import SingleFlight
from epf.search.engine.checked_calls import judged, leave_if_cancelled
from epf.search.engine.deadline import Deadline
from epf.search.engine.seeds import Stage, call_seed, sequence
from epf.search.engine.trajectory import Chain, grown
from epf.search.engine.usage_meter import Ledger
from epf.search.events import Event, Scored, StepTaken
from epf.search.options import SearchOptions
from epf.search.result import StepRecord, StopReason
from epf.search.smc.weights import FloatArray

GRADING_GRACE_S = 0.5
"""A search that its deadline ended may still take so long to recognise equal answers."""

NOTHING_WRITTEN = 0.5
"""Score of a step that was cut before it had any text to judge."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method ends with.

    Attributes:
        chains, log_weights: the particles, n unless the method says otherwise; -inf has no vote.
        log_evidence: see ``SearchResult``.
        records: one per resampling round.
        cut: the limit that ended it early, None if it came to its own end.
    """

    chains: tuple[Chain, ...]
    log_weights: FloatArray
    log_evidence: float
    records: tuple[StepRecord, ...] = ()
    cut: StopReason | None = None


class Run:
    """One search under way.

    Args:
        deadline_s: on the event loop's clock, None for no limit.
        until: another one, which may be set meanwhile.
        emit: receives each event as it happens.
    """

    def __init__(
        self,
        problem: str,
        prompt_ids: tuple[int, ...],
        generator: Generator,
        reward_model: RewardModel | None,
        options: SearchOptions,
        seed: int,
        ledger: Ledger,
        deadline_s: float | None,
        until: Deadline,
        emit: Callable[[Event], None],
    ) -> None:
        self.options = options
        self.ledger = ledger
        self.emit = emit
        self._problem = problem
        self._prompt_ids = prompt_ids
        self._generator = generator
        self._reward_model = reward_model
        self._seed = seed
        self._deadline_s = deadline_s
        self._until = until
        self._scores: SingleFlight[tuple[str, ...], float | None] = SingleFlight(max_kept=sys.maxsize)

    @asynccontextmanager
    async def in_time(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel the block and raise ``TimeoutError`` so many seconds after time is up."""
        deadline_s = None if self._deadline_s is None else self._deadline_s + grace_s
        async with asyncio.timeout_at(deadline_s), self._until.limit(grace_s):
            yield

    def rng(self, stage: Stage, t: int = 0, *first: int) -> np.random.Generator:
        """Random numbers of one stage of step ``t``, of the particles from slot ``first`` on where groups take turns."""
        return np.random.default_rng(sequence(self._seed, stage, t, *first))

    def share(self, n: int) -> int:
        """Tokens that each of ``n`` tasks about to start may generate, while none is under way; below 1 nothing can start.

        Sharing out what is left keeps the budget exactly, whatever ends first.
        """
        if self.options.max_total_tokens is None:
            return sys.maxsize
        return (self.options.max_total_tokens - self.ledger.generated_tokens) // max(n, 1)

    async def gather(self, tasks: Iterable[Coroutine[Any, Any, None]]) -> bool:
        """Run tasks side by side and tell whether the deadline cut them short; then those unfinished are cancelled.

        The first error cancels all others and is raised; when this call is cancelled, so are all tasks. None outlives the call.
        """
        try:
            async with self.in_time(), asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(task)
        except TimeoutError:
            return True
        except BaseExceptionGroup as errors:
            error = _first(errors)
        else:
            return False
        raise error

    async def extend(self, chain: Chain, t: int, slot: int, *, allowance: int, lookahead: bool = False) -> Chain:
        """``chain`` with one more step, drawn and judged; unchanged but dead or stuck when there is no such step."""
        longer = await self.draw(chain, t, slot, allowance=allowance, lookahead=lookahead)
        return longer if longer.status in ("dead", "stuck") else await self.judge(chain, longer, t, slot, lookahead=lookahead)

    async def draw(self, chain: Chain, t: int, slot: int, *, allowance: int, lookahead: bool = False) -> Chain:
        """``chain`` with one more step of at most ``allowance`` tokens, not judged; unchanged but dead or stuck without one.

        Raises ``GeneratorError`` when the generator fails or returns what is no step.
        """
        room = self._room(chain)
        if room < 1:
            return replace(chain, status="stuck")
        sampling = Sampling(
            temperature=self.options.temperature,
            top_p=self.options.top_p,
            max_tokens=min(self.options.max_tokens_per_step, allowance, room),
            separator=self.options.separator,
        )
        seed = call_seed(self._seed, "lookahead" if lookahead else "step", t, slot)
        try:
            with self.ledger.doing("generating"):
                step = await self._generator.step((*self._prompt_ids, *chain.token_ids), sampling, seed)
        except ContextTooLong:
            return replace(chain, status="stuck")
        except SearchServiceError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            leave_if_cancelled(error)
            raise GeneratorError(f"the generator failed: {type(error).__name__}: {error}") from error
        if not isinstance(step, Step) or step.finish not in ("separator", "eos", "length"):
            raise GeneratorError(f"the generator returned {step!r:.200}, which is no step")
        self.ledger.generated_tokens += len(step.token_ids)
        longer = grown(chain, step, self.options.separator, self.options.stop)
        taken = step if longer.status == "dead" else longer.steps[-1]
        self.emit(StepTaken(slot, t, taken.text, taken.finish, len(step.token_ids), lookahead))
        return longer

    async def judge(self, chain: Chain, longer: Chain, t: int, slot: int, *, lookahead: bool = False) -> Chain:
        """``longer`` with its newest step's score; ``chain``, stuck, if that trace does not fit into the reward model."""
        score = await self._score(longer.texts) if longer.texts else NOTHING_WRITTEN
        if score is None:
            return replace(chain, status="stuck")
        self.emit(Scored(slot, t, score, lookahead))
        return replace(longer, scores=(*longer.scores, score))

    def _room(self, chain: Chain) -> int:
        """Tokens that the caller's limit leaves this particle."""
        if self.options.max_tokens_per_particle is None:
            return sys.maxsize
        return self.options.max_tokens_per_particle - len(chain.token_ids)

    async def _score(self, texts: tuple[str, ...]) -> float | None:
        """Score of a trace, None if it does not fit into the reward model. Equal traces share one call."""
        score, _ = await self._scores.get(texts, lambda: self._ask(texts))
        return score

    async def _ask(self, texts: tuple[str, ...]) -> float | None:
        assert self._reward_model is not None, "the driver asks for a reward model where the method needs one"
        self.ledger.prm_calls += 1
        try:
            with self.ledger.doing("scoring"):
                score = await judged(self._reward_model, self._problem, texts)
        except ContextTooLong:
            return None
        self.ledger.prm_tokens += score.n_tokens
        return float(score.probability)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
