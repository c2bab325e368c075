"""``epf trace``: traces from other servers, and what a model computes while it reads traces, for ``epf entropy``."""

from pathlib import Path

import click

from epf.cli.command import Command, Group


@click.group(
    cls=Group,
    examples=(
        "epf trace import completions.jsonl --out traces.jsonl",
        "epf trace internals traces.jsonl --model path/to/model --row 1 --attention attention.json",
    ),
)
def trace() -> int:
    """Make reasoning traces from responses of other servers, and record the internals of a model that reads traces."""
    return 0


@trace.command(
    name="import",
    cls=Command,
    short_help="Make traces from responses of an OpenAI-like server.",
    examples=(
        "epf trace import completions.jsonl --out traces.jsonl",
        "epf trace import stream.txt --out traces.jsonl",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="JSONL", help="Write the traces into this file. Default: standard output."
)
def import_(file: Path, out: Path | None) -> int:
    """Make traces from responses of an OpenAI-like server.

    FILE holds chat completions, completions or responses, one JSON object per line, best with logprobs and top_logprobs.
    Streams that were saved in chunks, output of the Batch API, and logs with requests next to responses are read as well.
    Each choice becomes one trace, with the steps of its text, the log probabilities of its tokens, and its final answer.
    """
    from epf.cli.importing import write

    write(file, out)
    return 0


@trace.command(
    cls=Command,
    short_help="Write attention or hidden states.",
    examples=(
        "epf trace internals traces.jsonl --model path/to/model --row 1 --attention attention.json",
        "epf trace internals traces.jsonl --model path/to/model --group correct --hidden states.json",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Directory of a Hugging Face model."
)
@click.option("--row", type=int, metavar="N", help="Read the N-th trace alone, counted from 1.")
@click.option(
    "--attention",
    type=click.Path(path_type=Path),
    metavar="JSON",
    help="Write the attention into this file, as input of epf entropy attention. Needs --row.",
)
@click.option("--maps", is_flag=True, help="Write whole attention maps in place of the entropies of their rows.")
@click.option(
    "--hidden",
    type=click.Path(path_type=Path),
    metavar="JSON",
    help="Write the hidden states of the tokens into this file, as input of epf entropy features.",
)
@click.option(
    "--layer",
    type=int,
    default=-1,
    show_default=True,
    metavar="N",
    help="Layer of the hidden states: 0 is the embedding, -1 the last layer.",
)
@click.option(
    "--group",
    type=click.Choice(["step", "correct"]),
    default="step",
    show_default=True,
    help="Group the hidden states by the number of their step, or by right and wrong traces.",
)
def internals(
    file: Path,
    model: Path,
    row: int | None,
    attention: Path | None,
    maps: bool,
    hidden: Path | None,
    layer: int,
    group: str,
) -> int:
    """Let a model read traces and write its attention or hidden states, for epf entropy.

    FILE holds traces in JSON Lines. Needs the extra `torch`.
    """
    from epf.cli.internals import Wanted, write

    write(file, model, Wanted(row, attention, maps, hidden, layer, group))
    return 0
