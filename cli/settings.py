"""Settings of a command and the logs of a server."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from epf.core.errors import InvalidRequest
from epf.service.settings import Settings, unknown_variables


def server_settings(
    host: str | None, port: int | None, models: Mapping[str, Any], *, default_port: int | None = None
) -> Settings:
    """Settings of a server, and logs that are set up accordingly. See :func:`read_server_settings`."""
    from epf.service.operations import logs

    settings = read_server_settings(host, port, models, default_port)
    logs.configure(settings.log_level)
    return settings


def read_server_settings(host: str | None, port: int | None, models: Mapping[str, Any], default_port: int | None) -> Settings:
    """Settings of a server, in which ``--host``, ``--port`` and the flags that name models override the environment.

    ``default_port`` replaces the setting's own default.

    Raises:
        InvalidRequest: a setting is not valid.
    """
    from epf.service.http.middleware.auth import check_bind

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(**given, **models)
    if default_port is not None and "port" not in settings.model_fields_set:
        settings = settings.model_copy(update={"port": default_port})
    check_bind(settings)
    return settings


def read_settings(**given: Any) -> Settings:
    """Settings from the environment or the settings file, where a flag of the command line does not set them.

    Unknown variables are reported on standard error, with the closest match. They do not stop the command, because Kubernetes
    defines some of its own.

    Raises:
        InvalidRequest: a setting is not valid. The message names the setting, but never the value, which may be a key.
    """
    for message in unknown_variables(os.environ):
        print(f"epf: {message}", file=sys.stderr)
    file = os.environ.get("EPF_SETTINGS")
    if file is not None and not Path(file).is_file():
        raise InvalidRequest(f"EPF_SETTINGS names {file}, which is not a file", param="EPF_SETTINGS")
    try:
        return Settings(**given)
    except ValidationError as error:
        names = [".".join(map(str, one["loc"])) for one in error.errors()]
        variables = [f"--{name}" if name in given else f"EPF_{name.replace('.', '__').upper()}" for name in names]
        wrong = [f"{name} ({flag}): {one['msg']}" for name, flag, one in zip(names, variables, error.errors(), strict=True)]
        raise InvalidRequest("settings: " + "; ".join(wrong), param=names[0]) from None
    except SettingsError as error:
        (field,) = re.findall(r'field "(\w+)"', str(error))
        names = sorted(name for name in os.environ if name.upper().startswith(f"EPF_{field.upper()}"))
        forms = """write a list as ["A", "B"] and a table as {"NAME": "VALUE"}"""
        single = f"or set one variable for each name of a table, such as {names[0]}__NAME"
        message = f"settings: the value of {' or '.join(names)} is not valid JSON: {forms}"
        message += "" if any(name.upper().endswith("__ALSO") for name in names) else f", {single}"
        raise InvalidRequest(message, param=field) from None
    except ValueError as error:  # the file is not TOML
        raise InvalidRequest(f"settings: {error}" + (f" (EPF_SETTINGS is {file})" if file else ""), param="settings") from None
