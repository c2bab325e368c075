"""``epf serve``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import uvicorn  # here, because `epf solve` needs no HTTP

    from service.app import create_app

    uvicorn.run(create_app(), host=arguments.host, port=arguments.port)
    return 0
