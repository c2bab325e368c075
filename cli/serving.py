"""What comes before a server of ours, its settings and its logs; an evaluation has the same settings."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from epf.core.errors import InvalidRequest
from epf.service.http.middleware.auth import check_bind
from epf.service.operations import logs
from epf.service.settings import Settings, unknown_variables


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

    Unknown variables are reported on standard error, with the closest match; they do not stop the server, because Kubernetes
    defines some of its own.

    Raises:
        InvalidRequest: names what is wrong and where, but never the value.
    """
    for message in unknown_variables(os.environ):
        print(f"epf: {message}", file=sys.stderr)
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
