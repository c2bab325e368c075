"""Samples the steps of one search: seeds, limits, counting, and errors that an engine hides; now, or ahead of the draw."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from epf.core.errors import ContextTooLong, GeneratorError, SearchServiceError
from epf.core.generator import Generator, Sampling, Step, abilities_of
from epf.core.tracing import span
from epf.search.engine.ahead import Draw, RunAhead
from epf.search.engine.checked_score import reraise_own_cancellation
from epf.search.engine.log_probs import check_has_log_probs
from epf.search.engine.seeds import call_seed
from epf.search.engine.traced import traced_step
from epf.search.engine.trajectory import Trajectory
from epf.search.engine.usage_meter import UsageMeter
from epf.search.options import BoundedOptions


@dataclass(slots=True)
class StepSampler:
    """Samples steps after the trajectories of a search.

    Attributes:
        prompt_ids: tokens of the prompt.
        options: resolved options.
        seed: seed of the search.
        ahead: steps that have begun before their particles were drawn.
    """

    prompt_ids: tuple[int, ...]
    generator: Generator
    options: BoundedOptions
    seed: int
    meter: UsageMeter
    ahead: RunAhead = field(default_factory=RunAhead)

    def sampling(self, max_tokens: int, separator: str, on_text: Callable[[str], None] | None = None) -> Sampling:
        """How to sample a step of at most ``max_tokens`` tokens."""
        options = self.options
        stop, n_top = tuple(options.stop), options.top_logprobs
        return Sampling(options.temperature, options.top_p, max_tokens, separator, stop, n_top, on_text)

    def room(self, trajectory: Trajectory) -> int:
        """Number of tokens that the caller's limit leaves a particle."""
        if self.options.max_tokens_per_particle is None:
            return sys.maxsize
        return self.options.max_tokens_per_particle - len(trajectory.token_ids)

    def begin(self, trajectory: Trajectory, draw: Draw) -> None:
        """Begin a step after ``trajectory`` for :meth:`sample` to take.

        Nothing begins where the option is off, where the generator cannot cancel a step at once, or where no step can follow.
        """
        options, room = self.options, self.room(trajectory)
        able = options.run_ahead and abilities_of(self.generator).cancels
        if not able or trajectory.status != "running" or draw.t > options.max_steps or room < 1:
            return
        prefix_ids = self._prefix_ids(trajectory)
        sampling = self.sampling(min(options.max_tokens_per_step, room), options.separator)
        self.ahead.begin(draw, prefix_ids, sampling, lambda sampling: self._call(prefix_ids, sampling, draw))

    async def sample(self, trajectory: Trajectory, sampling: Sampling, draw: Draw) -> Step | None:
        """A step after ``trajectory``, counted; None if the context has no room for it.

        Raises ``GeneratorError`` when the generator fails or returns an invalid value.
        """
        prefix_ids = self._prefix_ids(trajectory)
        begun = self.ahead.take(draw, prefix_ids)
        try:
            step = await (self._call(prefix_ids, sampling, draw) if begun is None else begun)
            if begun is not None and isinstance(step, Step) and len(step.token_ids) > sampling.max_tokens:
                self.ahead.n_wasted += len(step.token_ids)  # it began before the round had shared out the budget
                step = await self._call(prefix_ids, sampling, draw)
        except ContextTooLong:
            return None
        except SearchServiceError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            reraise_own_cancellation(error)
            raise GeneratorError(f"the generator failed: {type(error).__name__}: {error}") from error
        if not isinstance(step, Step) or step.finish not in ("separator", "eos", "length"):
            raise GeneratorError(f"the generator returned {step!r:.200}, which is not a step")
        check_has_log_probs(step, self.options, self.generator)
        self.meter.generated_tokens += len(step.token_ids)
        if not trajectory.steps and step.prompt_tokens is not None:
            self.meter.prompt_tokens = step.prompt_tokens
        return step

    async def aclose(self) -> None:
        """Cancel the steps that nobody has taken, and count their tokens."""
        await self.ahead.aclose()
        self.meter.wasted_tokens = self.ahead.n_wasted

    def _prefix_ids(self, trajectory: Trajectory) -> tuple[int, ...]:
        return (*self.prompt_ids, *trajectory.token_ids)

    async def _call(self, prefix_ids: tuple[int, ...], sampling: Sampling, draw: Draw) -> Step:
        seed = call_seed(self.seed, *draw)
        asked = traced_step(self.generator.name, seed, len(prefix_ids), draw.slot, lookahead=draw.stage == "lookahead")
        with span(f"text_completion {self.generator.name}", asked) as spent, self.meter.measure("generating"):
            step = await self.generator.step(prefix_ids, sampling, seed)
            if spent.recorded and isinstance(step, Step):
                spent.set({"gen_ai.usage.output_tokens": len(step.token_ids), "gen_ai.response.finish_reasons": [step.finish]})
        return step
