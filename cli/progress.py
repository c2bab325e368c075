"""Shows a running search on a stream: a live frame on a terminal, one line per resampling round elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live

from epf.cli.view import View, advance, frame, plain_line
from epf.search.events import Event, Resampled


@contextmanager
def progress(stream: TextIO) -> Iterator[Callable[[Event], None]]:
    """Yield a function that shows an event. The last frame stays on the screen."""
    console = Console(file=stream)
    view = View()
    if not console.is_terminal or console.is_dumb_terminal:

        def write(event: Event) -> None:
            nonlocal view
            view = advance(view, event)
            if isinstance(event, Resampled):
                print(plain_line(view), file=stream, flush=True)

        yield write
        return

    def show(event: Event) -> None:
        nonlocal view
        view = advance(view, event)

    with Live(
        get_renderable=lambda: frame(view, height=console.height - 1),
        console=console,
        refresh_per_second=12,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield show
