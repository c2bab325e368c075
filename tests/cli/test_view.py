from dataclasses import replace
from io import StringIO

from rich.console import Console

from epf import solve
from epf.cli.view import ParticleLine, View, advance, frame, multiline, plain_line, printable, summary
from epf.search.events import Resampled, Scored, Started, StepTaken
from epf.search.result import StepRecord


def fold(*events: Started | StepTaken | Scored | Resampled) -> View:
    view = View()
    for event in events:
        view = advance(view, event)
    return view


START = Started("epf", 3, 5, 10)
RECORD = StepRecord(t=1, ess=1.5, entropy=0.5, temperature=1.8, resampled=True, distinct_ancestors=2)


def test_particles_follow_their_ancestors() -> None:
    view = fold(
        START,
        StepTaken(0, 1, "a", "separator", 3, lookahead=False),
        StepTaken(1, 1, "b", "eos", 3, lookahead=False),
        StepTaken(2, 1, "c", "separator", 3, lookahead=True),
        Scored(1, 1, 0.9, lookahead=False),
        Resampled(RECORD, (1, 1, 2), 1, "7"),
    )
    assert view.particles == (
        ParticleLine("b", 0.9, finished=True),
        ParticleLine("b", 0.9, finished=True),
        ParticleLine("c", provisional=True),
    )
    assert plain_line(view) == "step 1  ess 1.5/3  temperature 1.80  distinct 2/3  finished 1/3  best answer 7"


def test_a_length_cut_step_is_not_finished() -> None:
    assert not fold(START, StepTaken(0, 1, "a", "length", 3, lookahead=False)).particles[0].finished


def test_frame_fits_every_terminal() -> None:
    view = replace(
        fold(START), particles=(ParticleLine("long step " * 40, 0.5),) * 50, ess_history=(0.5,) * 200, answer="9" * 300
    )
    for width in (20, 40, 80, 200):
        for height in (8, 12, 24, 100):
            console = Console(width=width, height=height)
            lines = console.render_lines(frame(view, height=height), pad=False)
            assert len(lines) <= height
            assert all(sum(segment.cell_length for segment in line) <= width for line in lines)


def test_model_text_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[2Jb\nc\x07") == "a[2Jb c"
    assert multiline("a\x1b[2J\n\nb\r") == "a[2J\n\nb"
    view = fold(START, StepTaken(0, 1, "\x1b[2J[red]x[/red]", "separator", 3, lookahead=False))
    console = Console(width=80, height=24, record=True, file=StringIO())
    console.print(frame(view, height=24))
    assert "[2J[red]x[/red]" in console.export_text()


def test_a_problem_that_lacks_information_has_that_as_its_answer() -> None:
    line = summary(solve("How many pencils does Tom have?", generator="plain", n_particles=2, seed=1)).plain
    assert line.startswith("answer not enough information   confidence ")
