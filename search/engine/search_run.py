"""What a method can do during one search: sample steps, score them, share out the budget, count what is used, emit events.

Every random draw has its own seed (:mod:`epf.search.engine.seeds`), so results do not depend on which upstream call ends first.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from epf.core.bounded_cache import BoundedCache
from epf.core.errors import ContextTooLong, GeneratorError, RewardModelError
from epf.core.generator import Generator, Step
from epf.core.reward_model import RewardModel
from epf.core.single_flight import SingleFlight
from epf.core.tracing import span
from epf.generators.steps import split_step
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.engine.ahead import Draw
from epf.search.engine.checked_score import checked_score
from epf.search.engine.seeds import Stage, seed_sequence
from epf.search.engine.step_sampler import StepSampler
from epf.search.engine.trajectory import Trajectory, append_step
from epf.search.engine.usage_meter import UsageMeter
from epf.search.events import Event, Scored, StepTaken, TextSampled
from epf.search.options import BoundedOptions

Cut = Literal["deadline", "model_failed"]
"""Why tasks were cut short."""

TimeLimit = Callable[[float], AbstractAsyncContextManager[None]]
"""Cancels its block and raises ``TimeoutError`` when a deadline is the given number of seconds past."""

MAX_WHOLE_TOKENS = 10_240
"""Maximum length of a solution that is sampled with one call, in tokens: many servers refuse to write more."""

NO_OPINION = 0.5
"""Score of a particle before it has any text to score."""

MAX_SCORES_BYTES = 32 * 2**20
"""Maximum memory of the scores that a search keeps: enough for 128 particles that take 200 steps. Beyond it, they are computed
again.
"""


@dataclass(slots=True)
class SearchRun:
    """One search while it runs.

    Attributes:
        problem: what the reward model scores by.
        prompt_ids: tokens of the prompt.
        reward_model: None where the method needs none.
        options: resolved options.
        deadline_s: on the event loop's clock; None sets no limit.
        until: a second time limit, which may move while the search runs.
        emit: receives each event as it happens.
        confidence: map that makes evidence a probability; None for the unfitted confidence.
        failure: the failure of a model that ended the search, or without which it goes on.
        n_unscored: number of scores that the reward model did not give, because it was lost.
        unscored: finished trajectories whose newest step is being scored, by slot; see :meth:`finished_unscored`.
        sampler: samples the steps.
    """

    problem: str
    prompt_ids: tuple[int, ...]
    generator: Generator
    reward_model: RewardModel | None
    options: BoundedOptions
    seed: int
    meter: UsageMeter
    deadline_s: float | None
    until: TimeLimit
    emit: Callable[[Event], None]
    confidence: ConfidenceMap | None = None
    failure: GeneratorError | RewardModelError | None = None
    unscored: dict[int, Trajectory] = field(default_factory=dict)
    n_unscored: int = 0
    sampler: StepSampler = field(init=False)
    _n_scored: int = 0
    _scores: SingleFlight[tuple[str, ...], float | None] = field(
        default_factory=lambda: SingleFlight(BoundedCache(MAX_SCORES_BYTES, _score_bytes))
    )

    def __post_init__(self) -> None:
        self.sampler = StepSampler(self.prompt_ids, self.generator, self.options, self.seed, self.meter)

    @asynccontextmanager
    async def time_limit(self, grace_s: float = 0.0) -> AsyncIterator[None]:
        """Cancel the block and raise ``TimeoutError`` when the search's time is over by ``grace_s`` seconds."""
        deadline_s = None if self.deadline_s is None else self.deadline_s + grace_s
        async with asyncio.timeout_at(deadline_s), self.until(grace_s):
            yield

    def rng(self, stage: Stage, t: int = 0, *first: int) -> np.random.Generator:
        """Random numbers for one stage of step ``t``.

        ``first`` is the first slot of the particles that draw, where groups of particles are filtered one after the other.
        """
        return np.random.default_rng(seed_sequence(self.seed, stage, t, *first))

    def token_share(self, n: int) -> int:
        """Number of tokens that each of ``n`` tasks about to start may generate, while no task runs. Below 1 none can start.

        Sharing out what is left keeps the budget exactly, whichever task ends first.
        """
        if self.options.max_total_tokens is None:
            return sys.maxsize
        return (self.options.max_total_tokens - self.meter.generated_tokens) // max(n, 1)

    async def run_tasks(self, tasks: Iterable[Coroutine[Any, Any, None]]) -> Cut | None:
        """Run tasks concurrently and return what cut them short, if anything did, which cancels those that are unfinished.

        A model whose servers are all gone ends the search, whose result is then what has been found so far. Any other error
        cancels all other tasks and is raised. When this call is cancelled, so are all tasks. No task outlives the call.
        """
        try:
            async with self.time_limit(), asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(task)
        except TimeoutError:
            return "deadline"
        except BaseExceptionGroup as errors:
            error = _first(errors)
        else:
            return None
        if isinstance(error, GeneratorError | RewardModelError) and error.retryable:
            self.failure = error
            if not self._n_scored:  # the reward model was not lost in the middle: it was never there
                self.unscored.clear()
            return "model_failed"
        raise error

    async def propagate(
        self, trajectory: Trajectory, t: int, slot: int, *, allowance: int, lookahead: bool = False
    ) -> Trajectory:
        """``trajectory`` with one more step, sampled and scored, or unchanged but dead or with its context full."""
        longer = await self.sample_step(trajectory, t, slot, allowance=allowance, lookahead=lookahead)
        if longer.status in ("dead", "context_full"):
            return longer
        self.begin_next(trajectory, longer, t, slot, lookahead=lookahead)
        if longer.status == "finished" and not lookahead:
            self.finished_unscored(longer, slot)
        scored = await self.score(trajectory, longer, t, slot, lookahead=lookahead)
        if not lookahead:
            self.unscored.pop(slot, None)
        return scored

    def begin_next(self, before: Trajectory, after: Trajectory, t: int, slot: int, *, lookahead: bool = False) -> None:
        """Begin what the particle in ``slot`` samples after step ``t`` if it survives the draw, or to look ahead.

        ``before`` and ``after`` are the trajectory without and with that step, or with ``lookahead`` that successor.
        """
        sampler, options = self.sampler, self.options
        if not lookahead and options.lookahead != "none":
            sampler.begin(after, Draw("lookahead", t + 1, slot))  # needed whatever the draw
        elif sampler.ahead.pays and lookahead and options.lookahead == "redraw":
            sampler.begin(before, Draw("step", t, slot))
        elif sampler.ahead.pays:
            sampler.begin(after, Draw("lookahead" if lookahead else "step", t + 1, slot))

    def settle(self, trajectories: Sequence[Trajectory], ancestors: Sequence[int], slots: Sequence[int] | None = None) -> None:
        """Cancel what particles began that a draw of ``ancestors`` ``(m,)`` leaves behind. ``slots`` as in ``run_round``."""
        running = [i for i, trajectory in enumerate(trajectories) if trajectory.status == "running"]
        survivors = {i for i in running if ancestors[i] == i}
        slots = range(len(trajectories)) if slots is None else slots
        self.sampler.ahead.settle({slots[i] for i in running}, {slots[i] for i in survivors})

    def finished_unscored(self, trajectory: Trajectory, slot: int) -> None:
        """Keep a finished trajectory in case that something cuts its score short: its answer then counts nevertheless.

        It counts with the score of the step before, or with no opinion.
        """
        self.unscored[slot] = replace(trajectory, scores=(*trajectory.scores, *(trajectory.scores[-1:] or (NO_OPINION,))))

    async def sample_step(
        self, trajectory: Trajectory, t: int, slot: int, *, allowance: int, lookahead: bool = False, shown: bool = False
    ) -> Trajectory:
        """``trajectory`` with one more step of at most ``allowance`` tokens, which is not scored.

        With ``shown``, its text is emitted while it is sampled.

        Without such a step the trajectory is unchanged but dead, or its context is full. Raises ``GeneratorError`` when the
        generator fails or returns an invalid value.
        """
        room = self.sampler.room(trajectory)
        if room < 1:
            return replace(trajectory, status="context_full")
        max_tokens = min(self.options.max_tokens_per_step, allowance, room)
        on_text = self._on_text(trajectory, t, slot) if shown else None
        sampling = self.sampler.sampling(max_tokens, self.options.separator, on_text)
        step = await self.sampler.sample(trajectory, sampling, Draw("lookahead" if lookahead else "step", t, slot))
        if step is None:
            return replace(trajectory, status="context_full")
        return self._append(trajectory, step, t, slot, lookahead=lookahead)

    async def sample_whole(self, slot: int, *, allowance: int, shown: bool = False) -> Trajectory:
        """A trajectory that is sampled with one call, for a generator that cannot continue one, and read step by step."""
        options = self.options
        limit = min(options.max_steps * options.max_tokens_per_step, self.generator.context_length // 2, MAX_WHOLE_TOKENS)
        max_tokens = min(max(limit, 1), allowance, self.sampler.room(Trajectory()))
        if max_tokens < 1:
            return Trajectory()
        sampling = self.sampler.sampling(max_tokens, "", self._on_text(Trajectory(), 1, slot) if shown else None)
        whole = await self.sampler.sample(Trajectory(), sampling, Draw("step", 1, slot))
        trajectory = Trajectory(status="context_full" if whole is None else "running")
        if whole is not None:
            for t, step in enumerate(split_step(whole, options.separator, self.generator.token_bytes), 1):
                trajectory = self._append(trajectory, step, t, slot)
                if trajectory.status != "running":
                    break
        return trajectory

    def _on_text(self, trajectory: Trajectory, t: int, slot: int) -> Callable[[str], None]:
        """Emits what a step after ``trajectory`` adds to its text while it is sampled."""
        before = trajectory.steps[-1].rest if trajectory.steps else ""
        emitted = ""

        def on_text(text: str) -> None:
            nonlocal emitted
            text = before + text
            at = len(emitted) if text.startswith(emitted) else 0
            if text[at:]:
                self.emit(TextSampled(slot, t, at, text[at:]))
                emitted = text

        return on_text

    def _append(self, trajectory: Trajectory, step: Step, t: int, slot: int, *, lookahead: bool = False) -> Trajectory:
        """``trajectory`` with ``step``, which is reported."""
        longer = append_step(trajectory, step, self.options.separator, self.options.stop)
        taken = step if longer.status == "dead" else longer.steps[-1]
        self.emit(StepTaken(slot, t, taken.text, taken.finish, len(step.token_ids), lookahead))
        return longer

    async def score(
        self, trajectory: Trajectory, longer: Trajectory, t: int, slot: int, *, lookahead: bool = False
    ) -> Trajectory:
        """``longer`` with its newest step's score; ``trajectory``, its context full, if the reward model has no room for it."""
        texts, score = longer.texts, NO_OPINION
        if self._is_sure(longer):
            score = trajectory.scores[-1]
        elif texts:
            found = await self._score_of(texts, trajectory)
            if found is None:
                return replace(trajectory, status="context_full")
            score = found
        self.emit(Scored(slot, t, score, lookahead))
        return replace(longer, scores=(*longer.scores, score))

    def _is_sure(self, longer: Trajectory) -> bool:
        """Whether the newest step, neither the first nor the last one, needs no score: see ``score_below_logprob``."""
        limit, log_probs = self.options.score_below_logprob, longer.steps[-1].log_probs
        if limit is None or longer.status != "running" or not longer.scores:
            return False
        return bool(log_probs) and min(log_probs) >= limit

    async def _score_of(self, texts: tuple[str, ...], before: Trajectory) -> float | None:
        """Score of a trace, None if it does not fit into the reward model's context.

        A search that has lost its reward model goes on without it: each step has the score of the step ``before``.
        """
        if self.failure is None:
            try:
                return (await self._scores.get(texts, lambda: self._ask(texts)))[0]
            except RewardModelError as error:
                if not (error.lost and self._n_scored):
                    raise
                self.failure = error
        self.n_unscored += 1
        return before.scores[-1] if before.scores else NO_OPINION

    async def _ask(self, texts: tuple[str, ...]) -> float | None:
        """Score of a trace, None if it does not fit into the reward model's context. Any other failure ends the search."""
        assert self.reward_model is not None, "the runner requires a reward model where the method needs one"
        self.meter.prm_calls += 1
        try:
            with span(f"score {self.reward_model.name}", {"epf.steps": len(texts)}) as spent, self.meter.measure("scoring"):
                score = await checked_score(self.reward_model, self.problem, texts)
                spent.set({"epf.prm_tokens": score.n_tokens, "epf.score": float(score.probability)})
        except ContextTooLong:
            return None
        self.meter.count_scored(score, self.reward_model.name)
        self._n_scored += 1
        return float(score.probability)


def _score_bytes(texts: tuple[str, ...], _score: float | None) -> int:
    """Memory of a kept score. The trajectories hold the texts anyway."""
    return sys.getsizeof(texts)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
