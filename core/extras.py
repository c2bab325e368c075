"""Libraries that the core install does not have, and the extras that install them."""

import importlib
from types import ModuleType

from epf.core.errors import NotInstalled


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module of a library that ``extra`` installs.

    Raises:
        NotInstalled: the library is missing. The message names the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        raise NotInstalled(f"The library {name} is not installed. {how_to_install(extra)}") from None


def how_to_install(extra: str) -> str:
    """The command that installs an extra. It installs from a clone, because no package index has this package."""
    return f"Run in a clone of the repository: pip install '.[{extra}]'"
