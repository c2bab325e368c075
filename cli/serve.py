"""``epf serve``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop and all that is under way has ended."""
    # Here, because `epf solve` needs no HTTP.
    from epf.cli.serving import prepared
    from epf.service import server
    from epf.service.app import create_app

    settings = prepared(arguments)
    server.run(create_app(settings=settings), settings)
    return 0
