"""``epf serve``."""

from typing import Any

import click

from epf.cli.command import Command
from epf.cli.models import ALL, PROFILE, SYSTEM_PROMPT, model_options, named_models


@click.command(
    cls=Command,
    examples=(
        "epf serve --port 8000",
        "epf serve --generator http://localhost:8001",
        "epf serve --generator http://localhost:8001 --reward-model http://localhost:8002 --family judge",
        "EPF_API_KEYS__ALICE=secret epf serve --host 0.0.0.0",
        "EPF_STORE=searches.db epf serve",
    ),
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: EPF_HOST, or 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0 chooses a free one.  [default: EPF_PORT, or 8000]")
@model_options(*ALL, PROFILE, SYSTEM_PROMPT)
def serve(host: str | None, port: int | None, **references: Any) -> int:
    """Serve the search over HTTP.

    Ctrl-C or SIGTERM stops the server when the running requests have ended. Every setting is an environment variable EPF_...,
    or a field of the TOML file that EPF_SETTINGS names.
    """
    from epf.cli.settings import server_settings
    from epf.service import server
    from epf.service.app import create_app

    settings = server_settings(host, port, named_models(**references))
    server.run(create_app(settings=settings), settings)
    return 0
