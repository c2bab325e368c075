"""Settings of the service inside vLLM: those of the environment, and what vLLM's arguments decide."""

import logging
import os
from argparse import Namespace
from hashlib import sha256

from pydantic import SecretStr

from epf.core.errors import InvalidRequest
from epf.service.access.digests import DIGEST_PREFIX
from epf.service.chat.resolve import is_search
from epf.service.settings import Settings

logger = logging.getLogger(__name__)

REFUSED = {
    "generator": "the generator is the model of `vllm serve`",
    "api_keys": "the keys are those of `vllm serve --api-key`",
    "api_keys_file": "the keys are those of `vllm serve --api-key`",
}
"""Settings that vLLM decides, with the reason; a caller who sets them would be misled about what is used or who may call."""

WITHOUT_EFFECT = (
    "host",
    "port",
    "allowed_origins",
    "head_timeout_s",
    "idle_timeout_s",
    "max_head_bytes",
    "max_connections",
    "max_connections_per_address",
    "log_level",
    "drain_notice_s",
    "drain_s",
)
"""Settings about connections and the process, which are vLLM's."""


def served_name(args: Namespace) -> str:
    """The first name of vLLM's model.

    Raises:
        InvalidRequest: one of its names is that of a search method, so that nobody could reach the model.
    """
    names: list[str] = args.served_model_name or [args.model]
    for name in names:
        if is_search(name):
            message = f"The model's name {name!r} is that of a search method: give it another one with --served-model-name."
            raise InvalidRequest(message, param="served_model_name")
    return names[0]


def settings_inside(args: Namespace) -> Settings:
    """The settings of the environment, with the keys of vLLM. Settings without effect are reported in the log.

    Raises:
        InvalidRequest: a setting is not valid, or is one that vLLM decides.
    """
    settings = Settings()
    given = settings.model_fields_set
    for name, reason in REFUSED.items():
        if name in given:
            raise InvalidRequest(f"EPF_{name.upper()} cannot be set inside vLLM: {reason}. Unset it.", param=name)
    if in_vain := [f"EPF_{name.upper()}" for name in WITHOUT_EFFECT if name in given]:
        logger.warning("Inside vLLM, %s has no effect: connections are vLLM's.", ", ".join(in_vain))
    keys = [key for key in (args.api_key or [os.environ.get("VLLM_API_KEY")]) if key]
    digests = [sha256(key.encode()).hexdigest() for key in keys]
    api_keys = {_owner(digest): SecretStr(DIGEST_PREFIX + digest) for digest in digests}
    # Without keys vLLM accepts everybody, and so does the service within it.
    return settings.model_copy(update={"api_keys": api_keys, "allow_anonymous": not keys or settings.allow_anonymous})


def _owner(digest: str) -> str:
    """Name of a key's owner. It stays the same when keys are added, removed or reordered, and so does what is kept for it."""
    return f"vllm-{digest[:8]}"
