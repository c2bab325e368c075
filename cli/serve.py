"""``epf serve``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop and all that is under way has ended."""
    # Here, because `epf solve` needs no HTTP.
    from cli.settings import settings_of
    from service import server
    from service.app import create_app

    settings = settings_of(arguments)
    server.run(create_app(settings=settings), settings)
    return 0
