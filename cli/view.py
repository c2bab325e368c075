"""What a person sees of a running search: a pure fold of its events, drawn as a live frame or written as plain lines."""

from dataclasses import dataclass, replace

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from epf.search.events import Answered, Event, Resampled, Scored, Started, StepTaken, TextSampled
from epf.search.result import SearchResult

FRAME_LINES = 6
"""Lines of a frame in addition to its particles."""

_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class ParticleLine:
    """The newest step of one particle. ``score`` is None until the reward model has scored it."""

    text: str = ""
    score: float | None = None
    finished: bool = False
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is shown. ``ess_history`` holds the effective sample size after each round, as a fraction of n."""

    method: str = ""
    seed: int = 0
    particles: tuple[ParticleLine, ...] = ()
    t: int = 0
    ess: float = 0.0
    ess_history: tuple[float, ...] = ()
    temperature: float = 1.0
    distinct: int = 0
    n_finished: int = 0
    answer: str | None = None


def advance(view: View, event: Event) -> View:
    """Return the view after one more event."""
    match event:
        case Started(method=method, n_particles=n, seed=seed):
            return replace(view, method=method, seed=seed, particles=(ParticleLine(),) * n, ess=float(n), distinct=n)
        case TextSampled(particle=i, at=at, text=text):
            line = view.particles[i]
            return replace(view, particles=_put(view.particles, i, replace(line, text=line.text[:at] + text)))
        case StepTaken(particle=i, text=text, finish=finish, lookahead=lookahead):
            line = ParticleLine(text=text, finished=finish in ("eos", "answer"), provisional=lookahead)
            return replace(view, particles=_put(view.particles, i, line))
        case Scored(particle=i, score=score):
            return replace(view, particles=_put(view.particles, i, replace(view.particles[i], score=score)))
        case Resampled(record=record, ancestors=ancestors, n_finished=n_finished, answer=answer):
            return replace(
                view,
                particles=tuple(view.particles[ancestor] for ancestor in ancestors),
                t=record.t,
                ess=record.ess,
                ess_history=(*view.ess_history, record.ess / len(view.particles)),
                temperature=record.temperature,
                distinct=record.distinct_ancestors,
                n_finished=n_finished,
                answer=answer,
            )
        case Answered(result=result):
            return replace(view, answer=result.answer, n_finished=sum(particle.finished for particle in result.particles))


def _put(lines: tuple[ParticleLine, ...], i: int, line: ParticleLine) -> tuple[ParticleLine, ...]:
    return (*lines[:i], line, *lines[i + 1 :])


def plain_line(view: View) -> str:
    """One resampling round as one line."""
    n = len(view.particles)
    return (
        f"step {view.t}  ess {view.ess:.1f}/{n}  temperature {view.temperature:.2f}  distinct {view.distinct}/{n}  "
        f"finished {view.n_finished}/{n}  best answer {printable(view.answer or '-')}"
    )


def frame(view: View, *, height: int) -> RenderableType:
    """The live view, at most ``height`` lines: the round's figures above, each particle's newest step below."""
    n = len(view.particles)
    answer = (printable(view.answer), "bold green") if view.answer is not None else ("none yet", "dim")
    filter_line = Text.assemble(
        *_named("step", (f"{view.t}", "bold")),
        *_named("ess", _bar(view.ess / n if n else 0.0), f" {view.ess:.1f}/{n}"),
        *_named("temperature", (f"{view.temperature:.2f}", "bold yellow" if view.temperature > 1 else "")),
    )
    answer_line = Text.assemble(
        *_named("distinct", f"{view.distinct}/{n}"),
        *_named("finished", f"{view.n_finished}/{n}"),
        *_named("best answer", answer),
    )
    history_line = Text.assemble(*_named("ess so far", (_sparkline(view.ess_history), "cyan")))
    lines = (filter_line, answer_line, history_line)
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    particles = Table.grid(padding=(0, 1), expand=True)
    particles.add_column(justify="right", style="dim", no_wrap=True)
    particles.add_column(no_wrap=True)
    particles.add_column(no_wrap=True)
    particles.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    room = max(1, height - FRAME_LINES)
    shown = n if n <= room else max(0, room - 1)
    for i, particle in enumerate(view.particles[:shown]):
        text = Text(printable(particle.text), "dim" if particle.provisional else "")
        particles.add_row(str(i + 1), _mark(particle), _score(particle), text)
    if shown < n:
        particles.add_row("", "", "", Text(f"and {n - shown} more", "dim"))
    title = f"{view.method} · {n} particles · seed {view.seed}" if n else "starting"
    return Panel(Group(*lines, Text(), particles), title=title, title_align="left", border_style="blue")


def summary(result: SearchResult) -> Text:
    """The answer as one line, with its confidence, its share of the vote, and the cost of the search."""
    answer = "none found" if result.conclusion is None else printable(result.conclusion)
    cost = f"{result.usage.generated_tokens} tokens in {result.usage.total_s:.1f} s, seed {result.seed}"
    cut = "" if result.stop_reason == "finished" else f", stopped early by {result.stop_reason}"
    return Text.assemble(
        ("answer ", "dim"),
        (answer, "bold green"),
        f"   confidence {result.confidence:.0%}   share {result.share:.0%}   ",
        (cost + cut, "dim"),
    )


def warning_lines(result: SearchResult) -> list[Text]:
    """One line for each warning; empty without any."""
    return [Text.assemble(("warning ", "bold yellow"), printable(warning.message)) for warning in result.warnings]


def printable(text: str) -> str:
    """The text as one line without control characters, with which a model could control the terminal."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def multiline(text: str) -> str:
    """The text without control characters, with its line breaks."""
    return "\n".join("".join(c for c in line if c.isprintable()) for line in text.split("\n"))


def _named(name: str, *parts: str | Text | tuple[str, str]) -> tuple[str | Text | tuple[str, str], ...]:
    return (f"{name} ", "dim"), *parts, "   "


def _bar(share: float, width: int = 12) -> Text:
    full = round(share * width)
    colour = "green" if share >= 0.5 else "yellow" if share >= 0.25 else "red"
    return Text.assemble(("█" * full, colour), ("░" * (width - full), "dim"))


def _sparkline(shares: tuple[float, ...]) -> str:
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))] for share in shares)


def _mark(line: ParticleLine) -> Text:
    return Text("✓", "green") if line.finished else Text("·", "dim")


def _score(line: ParticleLine) -> Text:
    if line.score is None:
        return Text("    ")
    return Text(f"{line.score:.2f}", "green" if line.score >= 0.7 else "yellow" if line.score >= 0.4 else "red")
