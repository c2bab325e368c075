"""Help pages, their examples, and shell completion."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from epf.cli.app import COMMANDS, COMPLETION, epf
from epf.cli.command import Command
from epf.cli.completion import SHELLS
from epf.cli.main import main
from epf.problem_sets.registry import PROBLEM_SETS
from tests.cli.processes import EPF, TIMEOUT_S, ended


def commands(command: click.Command, *names: str) -> Iterator[tuple[str, Command]]:
    """A command and all below it, by what a user types."""
    assert isinstance(command, Command)
    yield " ".join(("epf", *names)), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *names, name)


ALL = dict(commands(epf))


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_help_page_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split()[1:], "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: {name} ")
    _, examples = page.split("\nExamples:\n")
    assert [line.strip() for line in examples.splitlines()] == list(ALL[name].examples) != []


@pytest.mark.parametrize("example", sorted({example for command in ALL.values() for example in command.examples}))
def test_every_example_is_a_command_line_that_epf_accepts(example: str) -> None:
    words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
    start = words.index("epf")
    assert all("=" in word for word in words[:start]), "only variables stand before the command"
    arguments = words[start + 1 :]
    arguments = arguments[: next((i for i, word in enumerate(arguments) if word in "<>"), None)]
    command: click.Command = epf
    parent: click.Context | None = None
    while isinstance(command, click.Group) and arguments:
        parent = click.Context(command, parent=parent)
        _, found, arguments = command.resolve_command(parent, arguments)
        assert found is not None
        command = found
    command.make_context(command.name, arguments, parent=parent)


def test_commands_have_the_names_under_which_they_are_listed() -> None:
    for name, place in COMMANDS.items():
        command = ALL[f"epf {name}"]
        assert command.name == name
        assert place.summary.endswith(".")


def test_the_help_page_names_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    main(["eval", "--help"])
    page = capsys.readouterr().out
    assert all(name in page for name in PROBLEM_SETS)


def test_the_list_of_commands_needs_no_heavy_library() -> None:
    code = "import sys; from epf.cli.main import main; status = main(); print(*sys.modules); sys.exit(status)"
    done = ended(sys.executable, "-c", code, "--help")
    assert done.returncode == 0
    assert not {"asyncio", "numpy", "pydantic", "rich", "httpx", "fastapi"} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "start", "end"),
    [
        (("slove",), "epf: No such command 'slove'.", "Did you mean 'solve'? Try: epf --help\n"),
        (("entropy", "rankin"), "epf: No such command 'rankin'.", "Did you mean 'ranking'? Try: epf entropy --help\n"),
        (("--magic",), "epf: No such option", "Try: epf --help\n"),
        (("solve", "There", "are", "-5", "birds"), "epf: Put a text with a negative number in quotes", "epf solve --help\n"),
        (("solve", "-5 + 3"), "epf: Write -- before a text that begins with a dash.", "Try: epf solve --help\n"),
    ],
)
def test_an_unknown_command_or_option_is_refused_in_one_line(
    arguments: tuple[str, ...], start: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(start)
    assert captured.err.endswith(end)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("trace",)])
def test_a_missing_command_shows_the_help_page(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: epf")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_script_asks_epf(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{COMPLETION}={shell}_complete" in script
    if shell == "bash":
        subprocess.run(("bash", "-n"), input=script, text=True, check=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("epf so", ["solve"]),
        ("epf serve", ["serve", "serve-prm"]),
        ("epf solve --n-par", ["--n-particles"]),
        ("epf solve --annealing c", ["cess"]),
        ("epf completion z", ["zsh"]),
        ("epf entropy rank", ["ranking"]),
    ],
)
@pytest.mark.slow
def test_a_shell_gets_the_candidates_that_match(typed: str, expected: list[str]) -> None:
    words = typed.split()
    asked = {COMPLETION: "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = ended(*EPF, environment={**os.environ, **asked})
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == expected
