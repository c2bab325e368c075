"""``epf completion``."""

import click
from click.shell_completion import get_completion_class

from epf.cli.command import Command

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=(
        'eval "$(epf completion bash)"',
        "epf completion bash > ~/.local/share/bash-completion/completions/epf",
        "epf completion fish > ~/.config/fish/completions/epf.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the script that completes commands and options of epf in SHELL.

    Evaluate it in the shell's start-up file, or write it to the file from which the shell loads completions.
    """
    from epf.cli.app import COMPLETION, epf

    found = get_completion_class(shell)
    assert found is not None
    print(found(epf, {}, "epf", COMPLETION).source())
    return 0
