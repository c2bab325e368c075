"""``epf view``: a stored search, or the report of a run, as a page in the browser."""

import tempfile
from pathlib import Path

import click

from epf.cli.command import Command


@click.command(
    cls=Command,
    examples=(
        "epf view search-epf-7.json",
        "epf view search-epf-7.json --out search.html",
        "epf view runs/first",
        "epf view runs/first --row 12",
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
    """Show the search in FILE, or the report of a run of `epf eval`, in the browser.

    FILE is what the page of `epf serve` saves, a stream or a result of POST /solve with its particles, the output of
    `epf solve --json --logprobs`, or results.jsonl of `epf eval`, whose rows have scores but no texts. It can also be the
    directory of such a run: then the page is its report, with each of its searches.
    """
    from epf.core.errors import InvalidRequest

    page = _report(file) if file.is_dir() and row is None else _search(file, row)
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="epf-view-")) / f"{file.resolve().stem}.html"
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


def _search(file: Path, row: int | None) -> str:
    from epf.cli.stored_search import read_search
    from epf.evaluation.store import RESULTS
    from epf.service.web.document import document

    return document(read_search(file / RESULTS if file.is_dir() else file, row))


def _report(directory: Path) -> str:
    from epf.evaluation.report.page import page_data
    from epf.service.web.document import report_document

    return report_document(page_data(directory))
