"""Options that are made from the fields of a model."""

from typing import Annotated, Any, Literal

import click
import pytest
from pydantic import BaseModel, Field

from epf.cli.command import Command, escaped, field_options, given_options
from epf.cli.solve import solve
from epf.search.options import SearchOptions


class Fields(BaseModel):
    """A model with a field of every kind."""

    number: int = Field(3, ge=1, lt=10, description="A number.")
    share: Annotated[float, Field(gt=0)] | None = Field(None, le=1, description="A share.")
    choice: Literal["a", "b"] = Field("a", description="A choice.")
    flag: bool = Field(True, description="A flag.")
    text: str = Field("\n", description="A text.")
    texts: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="Texts.")
    array: list[float] = Field([], description="An array.")
    either: int | str = Field(0, description="One type or another.")
    hidden: int = Field(0, description="Left out.")


FIELDS = Command("fields", params=field_options(Fields, without=("hidden",), text=escaped))


def given(command: click.Command, model: type[BaseModel], *arguments: str) -> dict[str, Any]:
    """The options that a command line names."""
    return given_options(command.make_context("epf", list(arguments)), model)


def test_nothing_is_given_unless_it_is_named() -> None:
    assert given(FIELDS, Fields) == {}
    assert given(FIELDS, Fields, "--number", "3") == {"number": 3}


def test_values_have_the_types_of_their_fields() -> None:
    arguments = ("--share", "0.5", "--choice", "b", "--no-flag", "--text", r"\t", "--texts", r"x\n", "--texts", "y")
    expected = {"share": 0.5, "choice": "b", "flag": False, "text": "\t", "texts": ("x\n", "y")}
    assert given(FIELDS, Fields, *arguments) == expected


@pytest.mark.parametrize("flag", ["--array", "--either", "--hidden"])
def test_a_field_that_a_command_line_cannot_hold_has_no_option(flag: str) -> None:
    with pytest.raises(click.NoSuchOption):
        given(FIELDS, Fields, flag, "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--number", "0"), "'--number': 0 is not in the range 1<=x<10"),
        (("--number", "10"), "'--number': 10 is not in the range 1<=x<10"),
        (("--share", "0"), "'--share': 0.0 is not in the range 0<x<=1"),
        (("--choice", "c"), "'--choice': 'c' is not one of 'a', 'b'"),
        (("--number", "x"), "'--number': 'x' is not a valid integer"),
    ],
)
def test_a_value_outside_the_limits_is_refused_with_the_option_and_its_limits(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        given(FIELDS, Fields, *arguments)
    assert message in refused.value.format_message()


def test_the_help_page_shows_descriptions_limits_and_defaults() -> None:
    page = " ".join(FIELDS.make_context("epf", []).get_help().split())
    assert "--number N A number. [default: 3; 1<=x<10]" in page
    assert "--share X A share. [0<x<=1]" in page
    assert "--choice [a|b] A choice. [default: a]" in page
    assert "--flag / --no-flag A flag. [default: flag]" in page
    assert r"--text TEXT A text. [default: (\n)]" in page


def test_every_option_of_a_search_can_be_given() -> None:
    values = {
        "method": "pf", "n_particles": 3, "max_steps": 4, "max_tokens_per_step": 5, "temperature": 0.5, "top_p": 0.9,
        "separator": "\n", "annealing": "cess", "ess_threshold": 0.25, "early_phase": 0.75, "horizon": 6, "lookahead": "redraw",
        "lookahead_weight": 0.125, "resampling": "residual", "weighting": "incremental", "resample_finished": False,
        "answer_selection": "majority", "seed": 9, "max_seconds": 1.5, "max_total_tokens": 100,
        "max_tokens_per_particle": 50, "straggler_quantile": 0.75, "stop": ("END",),
        "aggregation": "product", "beam_width": 2, "system_prompt": "Box it.",
        "iterations": 3, "entropy_zscore": False, "pool_fraction": 0.375, "certainty": 0.5, "waves": 2, "odds_power": 0.25,
        "logprobs": True, "top_logprobs": 2, "run_ahead": False, "score_below_logprob": -0.5,
    }  # fmt: skip
    assert set(values) == set(SearchOptions.model_fields) - {"slopes"}  # numbers by depth, which a profile holds
    arguments: list[str] = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        value = value[0] if isinstance(value, tuple) else value
        if isinstance(value, bool):
            arguments.append("--" + flag if value else "--no-" + flag)
        else:
            arguments += ["--" + flag, r"\n" if value == "\n" else str(value)]
    assert given(solve, SearchOptions, *arguments) == values
    SearchOptions(**values)  # type: ignore[arg-type]
