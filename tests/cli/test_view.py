from argparse import ArgumentParser
from dataclasses import fields, replace
from io import StringIO

from rich.console import Console

from epf.cli.options import add_search_options, search_config
from epf.cli.view import Row, View, advance, frame, multiline, plain_line, printable
from epf.search.events import Resampled, Scored, Started, StepTaken
from epf.search.options import SearchConfig
from epf.search.result import StepRecord


def fold(*events: Started | StepTaken | Scored | Resampled) -> View:
    view = View()
    for event in events:
        view = advance(view, event)
    return view


START = Started("epf", 3, 5, 10)
RECORD = StepRecord(t=1, ess=1.5, entropy=0.5, temperature=1.8, resampled=True, distinct_ancestors=2)


def test_rows_follow_their_ancestors() -> None:
    view = fold(
        START,
        StepTaken(0, 1, "a", "separator", 3, lookahead=False),
        StepTaken(1, 1, "b", "eos", 3, lookahead=False),
        StepTaken(2, 1, "c", "separator", 3, lookahead=True),
        Scored(1, 1, 0.9, lookahead=False),
        Resampled(RECORD, (1, 1, 2), 1, "7"),
    )
    assert view.rows == (
        Row("b", 0.9, finished=True),
        Row("b", 0.9, finished=True),
        Row("c", provisional=True),
    )
    assert plain_line(view) == "step 1  ess 1.5/3  temperature 1.80  distinct 2/3  finished 1/3  best answer 7"


def test_a_length_cut_step_is_not_finished() -> None:
    assert not fold(START, StepTaken(0, 1, "a", "length", 3, lookahead=False)).rows[0].finished


def test_frame_fits_every_terminal() -> None:
    view = replace(fold(START), rows=(Row("long step " * 40, 0.5),) * 50, ess_history=(0.5,) * 200, answer="9" * 300)
    for width in (20, 40, 80, 200):
        for height in (8, 12, 24, 100):
            console = Console(width=width, height=height)
            lines = console.render_lines(frame(view, height=height), pad=False)
            assert len(lines) <= height
            assert all(sum(segment.cell_length for segment in line) <= width for line in lines)


def test_model_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\nc\x07") == "a[2Jb c"
    assert multiline("a\x1b[2J\n\nb\r") == "a[2J\n\nb"
    view = fold(START, StepTaken(0, 1, "\x1b[2J[red]x[/red]", "separator", 3, lookahead=False))
    console = Console(width=80, height=24, record=True, file=StringIO())
    console.print(frame(view, height=24))
    assert "[2J[red]x[/red]" in console.export_text()


def test_every_option_of_a_search_can_be_given() -> None:
    parser = ArgumentParser()
    add_search_options(parser)
    assert search_config(parser.parse_args([])) == SearchConfig()
    given = {
        "n_particles": 3, "max_steps": 4, "max_tokens_per_step": 5, "temperature": 0.5, "top_p": 0.9, "separator": "\n",
        "annealing": "cess", "ess_threshold": 0.25, "early_phase": 0.75, "horizon": 6, "lookahead": "redraw",
        "lookahead_weight": 0.125, "resampling": "residual", "weighting": "incremental", "resample_finished": False,
        "answer_selection": "majority", "seed": 9, "max_seconds": 1.5, "max_total_tokens": 100,
        "max_tokens_per_particle": 50, "straggler_quantile": 0.75, "stop": ("END",),
        "aggregation": "product", "beam_width": 2,
        "iterations": 3, "entropy_zscore": False, "pool_fraction": 0.375, "certainty": 0.5, "odds_power": 0.25,
    }  # fmt: skip
    assert set(given) == {field.name for field in fields(SearchConfig)}
    arguments = []
    for name, value in given.items():
        flag = name.replace("_", "-")
        value = value[0] if isinstance(value, tuple) else value
        arguments += ["--no-" + flag] if value is False else ["--" + flag, r"\n" if value == "\n" else str(value)]
    assert search_config(parser.parse_args(arguments)) == SearchConfig(**given)
