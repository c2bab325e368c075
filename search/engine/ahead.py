"""Steps that particles begin before it is known whether they go on.

A particle does not wait for its score, for the slowest particle and for the draw: it samples its next step meanwhile. When
particles are drawn, each survivor stays in its slot and takes the step that it has begun. Its other copies sample their own,
and the steps of particles that are not drawn are cancelled.

This changes no result. A step is determined by its prefix and its seed, and both are the same whether it begins before the
draw or after it. The draw depends on steps and scores of its own round only. A particle is at most one step ahead, and what is
thrown away never votes: it counts as discarded, and not towards a budget of tokens.

The idea is that of FastTTS (arXiv 2509.00195) and SPEX (arXiv 2605.10195); that one copy keeps its step, chosen without looking
at it, so that the search stays exact, is ours (``docs/decisions/run-ahead.md``).
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from epf.core.generator import Sampling, Step
from epf.search.engine.seeds import Stage

MIN_SURVIVAL: Final = 0.7
"""Particles run ahead while at least this fraction of them has survived the draws so far. Below it, most of what they sample
would be in vain, and would take room in the engine's batch."""


class Draw(NamedTuple):
    """The purpose of a step, which determines its seed: a stage, the number of the step, and the slot of its particle."""

    stage: Stage
    t: int
    slot: int


@dataclass(eq=False, slots=True)
class _Begun:
    prefix_ids: tuple[int, ...]
    task: "asyncio.Task[Step]"
    n_tokens: int = 0


class RunAhead:
    """The steps of one search that have begun and that no particle has taken yet.

    Attributes:
        n_wasted: number of tokens of steps that nobody took, as far as the generator reported them.
    """

    def __init__(self) -> None:
        self.n_wasted = 0
        self._begun: dict[Draw, _Begun] = {}
        self._ending: set[asyncio.Task[Step]] = set()
        self._n_drawn = self._n_survivors = 0

    @property
    def pays(self) -> bool:
        """Whether enough particles survive the draws."""
        return self._n_survivors >= MIN_SURVIVAL * self._n_drawn

    def begin(
        self,
        draw: Draw,
        prefix_ids: tuple[int, ...],
        sampling: Sampling,
        sample: Callable[[Sampling], Coroutine[Any, Any, Step]],
    ) -> None:
        """Begin a step that :meth:`take` may ask for later. Its failure shows only if somebody takes it."""

        def on_tokens(n: int) -> None:
            begun.n_tokens = n

        task = asyncio.create_task(sample(replace(sampling, on_tokens=on_tokens)))
        begun = self._begun[draw] = _Begun(prefix_ids, task)

    def take(self, draw: Draw, prefix_ids: tuple[int, ...]) -> "asyncio.Task[Step] | None":
        """The step that has begun for ``draw``; None if none has, or after another prefix."""
        begun = self._begun.pop(draw, None)
        if begun is None:
            return None
        if begun.prefix_ids == prefix_ids:
            return begun.task
        self._cancel(begun)
        return None

    def expect(self, n: int, n_survivors: int) -> None:
        """Note that of ``n`` particles ``n_survivors`` survive a draw."""
        self._n_drawn += n
        self._n_survivors += n_survivors

    def settle(self, slots: Collection[int], survivors: Collection[int]) -> None:
        """Note which particles of ``slots`` survived a draw, and cancel what the others have begun."""
        self.expect(len(slots), len(survivors))
        for draw in [draw for draw in self._begun if draw.slot in slots and draw.slot not in survivors]:
            self._cancel(self._begun.pop(draw))

    async def aclose(self) -> None:
        """Cancel all steps that nobody has taken, and wait for their end."""
        for begun in self._begun.values():
            self._cancel(begun)
        self._begun.clear()
        if self._ending:
            await asyncio.wait(self._ending)

    def _cancel(self, begun: _Begun) -> None:
        def end(task: "asyncio.Task[Step]") -> None:
            self._ending.discard(task)
            if task.cancelled() or task.exception() is not None:
                self.n_wasted += begun.n_tokens
            else:
                self.n_wasted += len(task.result().token_ids)

        begun.task.cancel()
        self._ending.add(begun.task)
        begun.task.add_done_callback(end)
