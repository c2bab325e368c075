"""Opens a reward model of a family on a server: by token ids where a tokenizer is at hand, else by text."""

import logging
from pathlib import Path

from epf.core.errors import InvalidRequest
from epf.core.reward_model import RewardModel
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.engines.hub import model_directory
from epf.reward_models.backend import FamilyRewardModel
from epf.reward_models.by_ids import ServerBackend
from epf.reward_models.by_text import TextRewardModel
from epf.reward_models.families.by_text import TEXT_FAMILIES
from epf.reward_models.families.registry import load_family
from epf.reward_models.ids_or_text import IdsOrTextRewardModel

logger = logging.getLogger(__name__)


def open_family(upstream: Upstream, family: str, model: str, tokenizer: Path | None) -> RewardModel:
    """Return the client of ``model``, which ``upstream`` serves.

    Args:
        upstream: the servers, closed with the reward model.
        family: a key of :data:`epf.reward_models.families.registry.FAMILIES`.
        model: name of the model on its servers, which may be a directory or a hub name that has a tokenizer.
        tokenizer: directory or hub name of the tokenizer, if ``model`` has none.

    Raises:
        InvalidRequest: there is no tokenizer, and the family needs one or one was named.
        ValueError, FileNotFoundError: the tokenizer does not belong to this family.
    """
    setting = "reward_model.tokenizer" if tokenizer else "reward_model.name"
    try:
        directory = model_directory(tokenizer or model, setting=setting)
    except InvalidRequest as error:
        if tokenizer is not None or family not in TEXT_FAMILIES:
            message = f"{error.message} A reward model of the family {family} needs its tokenizer: name it in "
            message += "reward_model.tokenizer (EPF_REWARD_MODEL__TOKENIZER)."
            raise InvalidRequest(message if tokenizer is None else error.message, param=setting) from None
        logger.info("the reward model's tokenizer is not at hand, so its server gets text")
        return _by_text(upstream, family, model)
    loaded = load_family(family, directory)
    description = f"family {family}, at {address(upstream.url)}"
    by_ids = FamilyRewardModel(ServerBackend(upstream, loaded, model), loaded, model, description)
    return IdsOrTextRewardModel(by_ids, _by_text(upstream, family, model)) if family in TEXT_FAMILIES else by_ids


def _by_text(upstream: Upstream, family: str, model: str) -> TextRewardModel:
    return TextRewardModel(upstream, TEXT_FAMILIES[family], model, f"family {family}, by text at {address(upstream.url)}")
