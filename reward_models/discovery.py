"""Finds out which reward model a server serves, and in which family it is asked."""

from dataclasses import dataclass

from epf.core.errors import InvalidRequest, RewardModelError
from epf.engines.http.models import listed_models
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.reward_models.families.registry import FAMILIES, family_of
from epf.reward_models.judge import PROMPTS

SCORING_SERVER = "epf serve-prm"


@dataclass(frozen=True, slots=True)
class ServedRewardModel:
    """A reward model on its server; ``family`` is None for the scoring server of this package, which knows its own."""

    name: str
    family: str | None


async def find_reward_model(upstream: Upstream, name: str | None, family: str | None) -> ServedRewardModel:
    """Return the model with this name or the only one, and the family that is given or that its name implies.

    A server need not list a model that is named. It is asked all the same, so that a wrong address or key is found at once.

    Raises:
        RewardModelError: no server responds, it refuses the key, or there are several models to choose from.
        InvalidRequest: the family is unknown or cannot be found.
    """
    if family is None and (scorer := await _scoring_server(upstream)) is not None:
        return ServedRewardModel(scorer, None)
    advice = " To use a server that does not list its models, set reward_model.name (EPF_REWARD_MODEL__NAME)."
    listed = await listed_models(upstream, required=name is None, advice=advice)
    if name is None:
        if len(listed) != 1:
            models = f"has the models {', '.join(sorted(listed))}. Name one of them" if listed else "lists no models. Name one"
            message = f"The reward model's server {models} in reward_model.name (EPF_REWARD_MODEL__NAME)."
            raise RewardModelError(message, retryable=False)
        (name,) = listed
    root = listed.get(name, {}).get("root")
    found = family or family_of(name) or (family_of(root) if isinstance(root, str) else None)
    if found is None:
        message = f"The family of the reward model {name!r} at {address(upstream.url)} cannot be found by its name: choose one "
        message += f"with --family (EPF_REWARD_MODEL__FAMILY), judge for a chat model, or one of {', '.join(sorted(FAMILIES))}."
        raise InvalidRequest(message, param="family")
    if found not in (*FAMILIES, *PROMPTS):
        known = ", ".join(sorted((*FAMILIES, *PROMPTS)))
        raise InvalidRequest(f"Unknown reward model family {found!r}. Choose one of {known}.", param="family")
    return ServedRewardModel(name, found)


async def _scoring_server(upstream: Upstream) -> str | None:
    """Name of the reward model if the server is ``epf serve-prm``.

    Raises:
        RewardModelError: no server responds.
        InvalidRequest: the server is ``epf serve``, which scores in another form.
    """
    models = (await upstream.get_optional("/readyz") or {}).get("models")
    if not isinstance(models, dict) or not all(isinstance(name, str) for name in models.values()):
        return None
    if "generator" in models:
        message = (
            f"{address(upstream.url)} is an `epf serve`, not a reward model: start `{SCORING_SERVER}` and give its address."
        )
        raise InvalidRequest(message, param="reward_model")
    return models.get("reward_model")
