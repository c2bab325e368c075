"""``epf view``: a stored search as a page in the browser."""

import tempfile
from pathlib import Path

import click

from epf.cli.command import Command


@click.command(
    cls=Command,
    examples=(
        "epf view search-epf-7.json",
        "epf view search-epf-7.json --out search.html",
        "epf view runs/first/results.jsonl --row 12",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--row", type=click.IntRange(min=1), metavar="N", help="Row of a file with several searches, counted from 1.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="HTML",
    help="Write the page into this file, which needs neither a server nor the internet, and do not open it.",
)
def view(file: Path, row: int | None, out: Path | None) -> int:
    """Show the search in FILE in the browser.

    FILE is what the page of `epf serve` saves, a stream or a result of POST /solve with its particles, the output of
    `epf solve --json --logprobs`, or results.jsonl of `epf eval`, whose rows have scores but no texts.
    """
    from epf.cli.stored_search import read_search
    from epf.core.errors import InvalidRequest
    from epf.service.web.document import document

    page = document(read_search(file, row))
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="epf-view-")) / f"{file.stem}.html"
        opened = True
    else:
        opened = False
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {out}: {error.strerror}.", param="out") from error
    print(out, flush=True)
    if opened:
        click.launch(str(out))
    return 0
