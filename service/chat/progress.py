"""The progress of a search in lines that a person can follow."""

from epf.search.events import Event, Resampled, Scored, Started, StepTaken

MAX_STEP_CHARS = 200


class Progress:
    """Turns the events of one search into a few short lines: one per round and one per solution."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._scores: dict[int, float] = {}
        self._n_particles = 0

    def line(self, event: Event) -> str | None:
        """The line for ``event``, which ends in a line break; None if it has no line."""
        match event:
            case Started():
                self._n_particles = event.n_particles
                particles = "particle" if event.n_particles == 1 else "particles"
                return f"{event.method} with {event.n_particles} {particles}, seed {event.seed}\n"
            case StepTaken(lookahead=False):
                self._texts[event.particle] = event.text
                if event.finish in ("eos", "answer"):
                    return f"solution {event.particle + 1} of {self._n_particles} ended after {_counted(event.t)}\n"
            case Scored(lookahead=False):
                self._scores[event.particle] = event.score
            case Resampled():
                return self._round(event)
        return None

    def _round(self, event: Resampled) -> str:
        record = event.record
        line = f"step {record.t}: effective sample size {record.ess:.1f} of {self._n_particles}"
        if record.resampled:
            line += f", {record.distinct_ancestors} kept"
            if record.temperature > 1:
                line += f" at temperature {record.temperature:.1f}"
        if event.answer is not None:
            line += f", best answer so far {event.answer[:MAX_STEP_CHARS]}"
        leader = max(self._scores, key=self._scores.__getitem__, default=None)
        if leader is not None and leader in self._texts:
            text = " ".join(self._texts[leader].split())[:MAX_STEP_CHARS]
            line += f"; leading ({self._scores[leader]:.2f}): {text}"
        self._scores.clear()
        return line + "\n"


def _counted(n_steps: int) -> str:
    return "1 step" if n_steps == 1 else f"{n_steps} steps"
