"""``epf serve-prm``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve the reward model that the settings name until told to stop and all that is under way has ended."""
    # Here, because `epf solve` needs no HTTP.
    from cli.serving import prepared
    from service import server
    from service.models import reward_model_of
    from service.scoring import create_scoring_app

    settings = prepared(arguments)
    server.run(create_scoring_app(reward_model_of(settings), settings), settings)
    return 0
