"""``epf serve-prm``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve the reward model that the settings name until told to stop and all that is under way has ended."""
    # Here, because `epf solve` needs no HTTP.
    from epf.cli.serving import prepared
    from epf.reward_models.registry import load_reward_model
    from epf.service import server
    from epf.service.scoring_app import create_scoring_app

    settings = prepared(arguments)
    server.run(create_scoring_app(load_reward_model(settings.reward_model), settings), settings)
    return 0
