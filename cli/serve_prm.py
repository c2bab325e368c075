"""``epf serve-prm``."""

import click

from epf.cli.command import Command
from epf.cli.models import FAMILY, REWARD_MODEL, SCORING_TOKENIZER, model_options, scoring_models

DEFAULT_PORT = 8002
"""Next to `epf serve` at 8000 and, in our examples, the generator's server at 8001."""


@click.command(
    "serve-prm",
    cls=Command,
    examples=(
        "epf serve-prm --port 8002",
        "epf serve-prm --reward-model Qwen/Qwen2.5-Math-PRM-7B",
        "EPF_REWARD_MODEL__CALIBRATION=prm.calibration.json epf serve-prm",
    ),
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: EPF_HOST, or 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0 chooses a free one.  [default: EPF_PORT, or 8002]")
@model_options(REWARD_MODEL, FAMILY, SCORING_TOKENIZER)
def serve_prm(
    host: str | None, port: int | None, reward_model: tuple[str, ...], family: str | None, tokenizer: str | None
) -> int:
    """Serve the reward model of the settings over HTTP, for searches on other machines.

    Searches use the server with --reward-model and its address.
    """
    from epf.cli.settings import server_settings
    from epf.reward_models.registry import load_reward_model
    from epf.service import server
    from epf.service.scoring_app import create_scoring_app

    models = scoring_models(None, reward_model, family, tokenizer)
    settings = server_settings(host, port, models, default_port=DEFAULT_PORT)
    server.run(create_scoring_app(load_reward_model(settings.reward_model), settings), settings)
    return 0
