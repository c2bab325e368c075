"""The steps of one particle so far, and what a new step makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from epf.core.generator import Step
from epf.search.answers.extract import is_thinking, settled_answer
from epf.search.result import StepRecord, StopReason
from epf.search.smc.weights import FloatArray

Status = Literal["running", "finished", "dead", "context_full"]
"""``dead``: it ended before any text, or its steps repeat. ``context_full``: a model's context has no room for another step."""

REPEATS = 3
"""A particle repeats itself if this many steps in a row have the same text."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A particle without its weight.

    Attributes:
        steps: sampled steps in order. Every sampled step is an object of its own, which copies of the particle share.
        scores: PRM probabilities, one for each step that was scored.
        lineage: index of the ancestor at each resampling, oldest first.
        status: whether the particle can continue, and if not, why.
        end: number of characters of the text before a stop text, if there was one.
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
        """Texts of the steps as a reader sees them, none of them empty. A step cut at its token limit is joined to the next."""
        return tuple(text for text in _joined(self.steps) if text.strip())

    def prefix(self, n_steps: int) -> "Trajectory":
        """The first ``n_steps`` steps as they were when they were written, or the whole trajectory if it has no more."""
        if n_steps >= len(self.steps):
            return self
        return Trajectory(self.steps[:n_steps], self.scores[:n_steps])

    def solution(self, separator: str) -> str:
        """The whole text."""
        return separator.join(self.texts) if self.end is None else _written(self.steps, separator)[: self.end]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method ends with.

    Attributes:
        trajectories, log_weights: the particles, ``n_particles`` unless the method says otherwise; -inf has no vote.
        log_evidence: see ``SearchResult``.
        records: one per resampling round.
        cut: the limit that ended the method early, None if it ended by itself.
    """

    trajectories: tuple[Trajectory, ...]
    log_weights: FloatArray
    log_evidence: float
    records: tuple[StepRecord, ...] = ()
    cut: StopReason | None = None


def append_step(trajectory: Trajectory, step: Step, separator: str, stop: Sequence[str] = ()) -> Trajectory:
    r"""``trajectory`` with ``step``, which is not scored yet. The text of the step begins with the rest of the step before it.

    A step that completes a text of ``stop`` ends before that text, as if the model had ended there; its tokens stay as sampled.

    A step that settles the answer (:func:`~epf.search.answers.extract.settled_answer`) has finish ``answer``, unless it was cut
    at its token limit: then it continues. A blank step is kept, since many models begin with one or separate steps twice. An
    end before any text, and repeated steps, blank ones too, leave the steps as they were and the particle dead.
    """
    if trajectory.steps:
        step = replace(step, text=trajectory.steps[-1].rest + step.text)
    end = _first(_written((*trajectory.steps, step), separator), stop)
    if end is not None:
        step = replace(step, text=step.text[: max(0, end - len(_written(trajectory.steps, separator)))], finish="eos")
    written = _joined((*trajectory.steps, step))
    settled = step.finish == "separator" and _is_settled(written, separator)
    step = replace(step, finish="answer" if settled else step.finish)
    finished = step.finish in ("eos", "answer")
    last = (*trajectory.steps, step)[-REPEATS:]
    repeats = len(last) == REPEATS and len({s.text for s in last}) == 1
    if (repeats and not finished) or (finished and not any(text.strip() for text in written)):
        return replace(trajectory, status="dead")
    return replace(trajectory, steps=(*trajectory.steps, step), status="finished" if finished else "running", end=end)


def _is_settled(written: Sequence[str], separator: str) -> bool:
    """Whether the newest of the written steps states an answer that does not belong to the model's thinking."""
    return settled_answer(written[-1] + separator) is not None and not is_thinking("".join(written))


def _written(steps: Sequence[Step], separator: str) -> str:
    """The text as the model wrote it."""
    return "".join(step.text + (separator if step.finish == "separator" else "") for step in steps)


def _first(text: str, stop: Sequence[str]) -> int | None:
    """Position of the first text of ``stop`` in ``text``; None without one."""
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
