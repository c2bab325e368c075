"""Libraries that only some tools need: the core install has numpy, the extras ``entropy`` and ``plots`` the others."""

import importlib
from types import ModuleType

from epf.core.errors import NotInstalled


def needed(module: str, extra: str) -> ModuleType:
    """Import a library that the core install does not have.

    Raises:
        NotInstalled: it is missing; the message names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        fix = f"pip install 'entropic-particle-filtering[{extra}]'"
        raise NotInstalled(f"This needs the library {name}, which is not installed. Try: {fix}") from None
