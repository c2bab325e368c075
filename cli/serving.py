"""What comes before a server of ours, its settings and its logs; an evaluation has the same settings."""

import argparse
import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.service.http.middleware.auth import check_bind
from epf.service.operations import logs
from epf.service.settings import Settings


def prepared(arguments: argparse.Namespace) -> Settings:
    """Settings, of which ``--host`` and ``--port`` win, and logs as they say.

    Raises:
        InvalidRequest: names what is wrong and where, but never the value, which may be a key.
    """
    given = {name: value for name in ("host", "port") if (value := getattr(arguments, name)) is not None}
    settings = read_settings(**given)
    check_bind(settings)
    logs.configure(settings.log_level)
    return settings


def read_settings(**given: Any) -> Settings:
    """Settings from the environment or their file, where a flag of the command line did not give them.

    A variable that looks like a setting and is none is told on standard error, and no more: Kubernetes makes some of its own.

    Raises:
        InvalidRequest: names what is wrong and where, but never the value.
    """
    for stray in _strays(os.environ):
        print(f"epf: {stray}", file=sys.stderr)
    file = os.environ.get("EPF_SETTINGS")
    if file is not None and not Path(file).is_file():
        raise InvalidRequest(f"EPF_SETTINGS names {file}, which is no file", param="EPF_SETTINGS")
    try:
        return Settings(**given)
    except ValidationError as error:
        told = [(".".join(map(str, one["loc"])), "__".join(map(str, one["loc"])).upper(), one["msg"]) for one in error.errors()]
        wrong = [f"{name} ({f'--{name}' if name in given else f'EPF_{variable}'}): {why}" for name, variable, why in told]
        raise InvalidRequest("settings: " + "; ".join(wrong), param=told[0][0]) from None
    except ValueError as error:  # a file that is no TOML, a variable that is no JSON
        raise InvalidRequest(f"settings: {error}" + (f" (EPF_SETTINGS is {file})" if file else ""), param="settings") from None


def _strays(variables: Iterable[str]) -> list[str]:
    """What to say of each variable whose name begins like a setting's and is none."""
    known = ["SETTINGS", *(name.upper() for name in Settings.model_fields)]
    told = []
    for variable in sorted(variables):
        prefix, _, rest = variable.upper().partition("_")
        name = rest.partition("__")[0]
        if prefix == "EPF" and rest and name not in known:
            meant = get_close_matches(name, known, n=1, cutoff=0.8)
            told.append(f"{variable} is no setting and is ignored" + (f"; did you mean EPF_{meant[0]}?" if meant else ""))
    return told
