"""One particle's solution so far, and what a new step makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from epf.core.generator import Step
from epf.search.answers.extract import final_answer

Status = Literal["running", "finished", "dead", "stuck"]
"""``dead`` wrote an empty step or repeats itself; ``stuck`` has no room left in a model's context."""

REPEATS = 3
"""The same step text this many times in a row is a particle that repeats itself."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A particle without its weight.

    Attributes:
        steps: sampled steps in order; every draw is an object of its own, which copies share.
        scores: PRM probabilities, one per step that was judged.
        lineage: index of the ancestor at each resampling, oldest first.
        status: whether and why it goes no further.
        end: characters of the text before a stop, if there was one.
    """

    steps: tuple[Step, ...] = ()
    scores: tuple[float, ...] = ()
    lineage: tuple[int, ...] = ()
    status: Status = "running"
    end: int | None = None

    @property
    def token_ids(self) -> tuple[int, ...]:
        """All tokens after the prompt."""
        return tuple(token for step in self.steps for token in step.token_ids)

    @property
    def texts(self) -> tuple[str, ...]:
        """The steps as a reader sees them: one that was cut at its token limit is joined to what follows it; none is empty."""
        return tuple(text for text in _joined(self.steps) if text.strip())

    def prefix(self, n_steps: int) -> "Chain":
        """The first steps as they were when they were written; the whole chain if it has no more."""
        if n_steps >= len(self.steps):
            return self
        return Chain(self.steps[:n_steps], self.scores[:n_steps])

    def solution(self, separator: str) -> str:
        """The whole text."""
        return separator.join(self.texts) if self.end is None else _written(self.steps, separator)[: self.end]


def grown(chain: Chain, step: Step, separator: str, stop: Sequence[str] = ()) -> Chain:
    r"""``chain`` after ``step``, not yet judged. Its text begins with the rest of the step before it.

    A step that completes a text of ``stop`` ends before it, as if the model had ended there; its tokens stay as sampled.

    A step whose text holds a complete ``\boxed{}`` has finish ``answer``, unless it was cut at its token limit: then it goes
    on. An empty step, an end before any text, and a repeating particle leave the chain as it was, but dead.
    """
    if chain.steps:
        step = replace(step, text=chain.steps[-1].rest + step.text)
    end = _first(_written((*chain.steps, step), separator), stop)
    if end is not None:
        step = replace(step, text=step.text[: max(0, end - len(_written(chain.steps, separator)))], finish="eos")
    written = _joined((*chain.steps, step))
    if step.finish == "separator" and final_answer(written[-1]) is not None:
        step = replace(step, finish="answer")
    else:
        step = replace(step)
    finished = step.finish in ("eos", "answer")
    last = (*chain.steps, step)[-REPEATS:]
    repeats = len(last) == REPEATS and len({s.text for s in last}) == 1
    empty = step.finish == "separator" and not written[-1].strip()
    if empty or (repeats and not finished) or (finished and not any(text.strip() for text in written)):
        return replace(chain, status="dead")
    return replace(chain, steps=(*chain.steps, step), status="finished" if finished else "running", end=end)


def _written(steps: Sequence[Step], separator: str) -> str:
    """The text as the model wrote it."""
    return "".join(step.text + (separator if step.finish == "separator" else "") for step in steps)


def _first(text: str, stop: Sequence[str]) -> int | None:
    """Where the first text of ``stop`` begins."""
    return min((at for mark in stop if (at := text.find(mark)) >= 0), default=None)


def _joined(steps: tuple[Step, ...]) -> list[str]:
    texts: list[str] = []
    cut = False
    for step in steps:
        if cut:
            texts[-1] += step.text
        else:
            texts.append(step.text)
        cut = step.finish == "length"
    return texts
