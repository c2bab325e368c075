"""The commands of ``epf`` by name, each imported when it is used, and how their errors become messages and exit codes."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click
from click.exceptions import Exit, NoArgsIsHelpError
from click.shell_completion import CompletionItem, shell_complete

from epf.cli.command import Group
from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.version import VERSION

if TYPE_CHECKING:
    from epf.evaluation.worker import LoadModels

COMPLETION = "_EPF_COMPLETE"
"""Variable with which a shell's completion script asks for candidates."""


class Place(NamedTuple):
    """Where a command is defined, and the line that ``epf --help`` shows for it."""

    module: str
    name: str
    summary: str


COMMANDS = {
    "solve": Place("solve", "solve", "Solve a problem, or every problem of a file."),
    "score": Place("score", "score", "Score the steps of a solution, or of a file of solutions."),
    "serve": Place("serve", "serve", "Serve the search over HTTP."),
    "serve-prm": Place("serve_prm", "serve_prm", "Serve the reward model over HTTP."),
    "eval": Place("evaluation", "evaluate", "Compare methods and budgets on a data set."),
    "view": Place("viewing", "view", "Show a stored search or a run's report in the browser."),
    "doctor": Place("doctor", "doctor", "Check your models and their servers, with what to do."),
    "tune": Place("tune", "tune", "Learn from problems with answers how epf searches best with your models."),
    "calibrate": Place("calibrate", "calibrate", "Fit the confidence to your models on a run of epf eval."),
    "entropy": Place("entropy", "entropy", "Score reasoning traces."),
    "trace": Place("trace", "trace", "Record the internals of a model that reads traces."),
    "completion": Place("completion", "completion", "Print the completion script of a shell."),
}


class LazyGroup(Group):
    """A group whose commands are imported when they run, not when they are listed or completed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is no such command."""
        if (place := COMMANDS.get(cmd_name)) is None:
            return None
        found = getattr(import_module(f"epf.cli.{place.module}"), place.name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Candidates for a command's name or an option of ``epf`` itself."""
        named = [CompletionItem(name, help=place.summary) for name, place in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


@click.command(
    cls=LazyGroup,
    examples=(
        'epf solve "There are 45 birds on a wire. 17 fly away. How many are left?"',
        "epf serve --port 8000",
        "epf eval --dataset synthetic --limit 20 --methods epf,best_of_n --budgets 1,4 --out runs/first",
    ),
)
@click.version_option(VERSION, prog_name="epf", message="%(prog)s %(version)s")
def epf() -> None:
    """Solve math problems with entropic particle filtering."""


def run(argv: Sequence[str], load_models: "LoadModels | None") -> int:
    """Run one command and return its exit code; errors are one line on standard error."""
    if instruction := os.environ.get(COMPLETION):
        return shell_complete(epf, {}, "epf", COMPLETION, instruction)
    if logging.lastResort is not None:  # warnings of commands that do not set up a log
        logging.lastResort.setFormatter(logging.Formatter("epf: %(message)s"))
    try:
        with epf.make_context("epf", list(argv), obj=load_models) as context:
            status: int = epf.invoke(context)
            return status
    except Exit as end:  # --help, --version
        return end.exit_code
    except NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        message = error.format_message()
        if isinstance(error, click.NoSuchOption) and any(one.startswith(error.option_name) and " " in one for one in argv):
            message = "Write -- before a text that begins with a dash."
        elif isinstance(error, click.NoSuchOption) and re.match(r"-[\d.]", error.option_name):
            message = "Put a text with a negative number in quotes, and write -- before one that begins with a dash."
        stop = "" if message.endswith((".", "?", ")")) else "."
        command = "epf" if error.ctx is None else error.ctx.command_path
        print(f"epf: {message}{stop} Try: {command} --help", file=sys.stderr)
        return 2
    except SearchServiceError as error:
        print(f"epf: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, InvalidRequest) else 1
