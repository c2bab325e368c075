"""``epf``: the command line. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from epf.cli import entropy, evaluation, serve, serve_prm, solve, trace
from epf.cli.options import add_search_options, positive
from epf.cli.solve import LoadModels
from epf.core.errors import InvalidRequest, SearchServiceError
from epf.core.version import VERSION
from epf.search.methods import METHODS
from epf.service.searches.models import embedded_models


def main(argv: Sequence[str] | None = None, *, load_models: LoadModels | None = None) -> int:
    """Run one command and return its exit code; ``load_models`` opens the models that ``solve`` and ``eval`` search with."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "serve":
            return serve.run(arguments)
        if arguments.command == "serve-prm":
            return serve_prm.run(arguments)
        if arguments.command == "entropy":
            return entropy.run(arguments)
        if arguments.command == "trace":
            return trace.run(arguments)
        if arguments.command == "eval":
            return evaluation.run(arguments, load_models)
        return solve.run(arguments, load_models or embedded_models)
    except SearchServiceError as error:
        print(f"epf: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, InvalidRequest) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output is gone. Python flushes stdout once more at exit and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="epf", description="Solve math problems with entropic particle filtering.")
    parser.add_argument("--version", action="version", version=f"epf {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    solving = commands.add_parser("solve", help="solve a problem, or a file of them", description="Solve a problem.")
    solving.add_argument("problem", nargs="?", metavar="PROBLEM", help="the problem in quotes; - reads it from standard input")
    solving.add_argument("--file", type=Path, metavar="PATH", help="JSON Lines with `problem` or `question`, one per row")
    solving.add_argument("--json", action="store_true", help="print JSON on standard output and the search on standard error")
    solving.add_argument("--concurrency", type=positive, default=4, metavar="N", help="rows of --file at a time. Default: 4.")
    solving.add_argument("--method", choices=sorted(METHODS), default="epf", help="search method. Default: 'epf'.")
    add_search_options(solving)

    serving = commands.add_parser("serve", help="answer POST /solve over HTTP", description="Serve the search over HTTP.")
    serving.add_argument("--host", help="address to listen on. Default: EPF_HOST, or 127.0.0.1.")
    serving.add_argument("--port", type=int, metavar="N", help="port to listen on. Default: EPF_PORT, or 8000.")

    scoring = commands.add_parser(
        "serve-prm",
        help="answer POST /score over HTTP",
        description="Serve the reward model of the settings (EPF_REWARD_MODEL__KIND ...), for searches on other machines.",
    )
    scoring.add_argument("--host", help="address to listen on. Default: EPF_HOST, or 127.0.0.1.")
    scoring.add_argument("--port", type=int, default=8001, metavar="N", help="port to listen on. Default: 8001.")

    evaluation.add_options(
        commands.add_parser(
            "eval",
            help="compare methods and budgets on a data set",
            description="Compare methods and budgets on a data set, or two such runs. The models are those of `epf serve`.",
        )
    )

    entropy.add_tools(
        commands.add_parser(
            "entropy",
            help="score reasoning traces",
            description="Tools that answer questions about reasoning traces; without a tool they are listed.",
        )
    )
    trace.add_commands(commands.add_parser("trace", help="what goes on in a model that reads traces"))
    return parser
