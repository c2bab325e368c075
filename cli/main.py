"""``epf``: the command line. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epf.evaluation.worker import LoadModels


def main(argv: Sequence[str] | None = None, *, load_models: "LoadModels | None" = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: arguments after the program's name; by default those of the process.
        load_models: opens the models that ``solve`` and ``eval`` search with, in place of those that the settings name.
    """
    try:
        # Commands import what they need: `epf --help` is quick, and Ctrl-C is caught during imports too.
        from epf.cli.app import run

        return run(sys.argv[1:] if argv is None else argv, load_models)
    except BrokenPipeError:
        # The reader of our output is gone. Python flushes stdout once more at exit and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:
        interrupt = _interrupt(error)
        if interrupt is None:
            raise
        if sys.stderr.isatty():  # the cursor stands after the ^C that the terminal shows
            print(file=sys.stderr)
        print(f"epf: {str(interrupt) or 'interrupted'}", file=sys.stderr, flush=True)
        return 130


def _interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that an error is or that caused it: a compiled module whose import it interrupts raises ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error
