"""``epf serve``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop and all that is under way has ended."""
    # Here, because `epf solve` needs no HTTP.
    from cli.serving import prepared
    from service import server
    from service.app import create_app

    settings = prepared(arguments)
    server.run(create_app(settings=settings), settings)
    return 0
