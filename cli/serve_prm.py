"""``epf serve-prm``."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve the reward model that the settings name until interrupted."""
    import uvicorn  # here, because `epf solve` needs no HTTP

    from service.models import reward_model_of
    from service.scoring import create_scoring_app
    from service.settings import Settings

    settings = Settings()
    app = create_scoring_app(reward_model_of(settings), settings)
    uvicorn.run(app, host=arguments.host, port=arguments.port)
    return 0
