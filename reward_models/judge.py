"""A language model that is asked to judge, through any OpenAI-compatible chat endpoint.

``thinkprm`` is the prompt that ThinkPRM was trained with (arXiv 2504.16828; model cards launch/ThinkPRM-1.5B and -14B): the
model reasons about every step and ends with "Is the solution correct? Yes" or "No". ``judge`` asks any other model for the same
ending. The score is the probability of "Yes" against "No" at that last word. If the server returns no probabilities, one
verdict counts as one observation: 3/4 or 1/4, the posterior mean under Jeffreys' prior.

A judge reads text: unlike the token families, it cannot be kept from believing what a step says about itself.
"""

import logging
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream, is_number
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.http import error_of

logger = logging.getLogger(__name__)

_THINKPRM = """You are given a math problem and a proposed step-by-step solution:

[Math Problem]

{problem}

[Solution]

{solution}

Review and critique each step in the proposed solution to determine whether each step is correct. \
If the solution is incomplete, only verify the provided steps."""

PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "thinkprm": _THINKPRM,
        "judge": _THINKPRM + " End with this line: Is the solution correct? Yes (or No, if any step so far is wrong).",
    }
)

MAX_TOKENS = 8192
_VERDICT = re.compile(r"is the solution correct\?[\s*:]*(yes|no)\b", re.IGNORECASE)


class ChatJudge(SharedRewardModel):
    """Asks a chat model; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        upstream: the endpoint, closed with this object.
        model: name of the model on the server.
        prompt: a key of ``PROMPTS``.
    """

    def __init__(self, upstream: Upstream, model: str, prompt: str) -> None:
        super().__init__(model)
        self._upstream = upstream
        self._model = model
        self._prompt = PROMPTS[prompt]
        self._log_probs = True

    async def _check_ready(self) -> None:
        await self._upstream.ready("/v1/models")

    async def _release(self) -> None:
        await self._upstream.aclose()

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        solution = "\n\n".join(f"Step {i}: {step}" for i, step in enumerate(steps, start=1))
        # Not str.format, since problem and steps are full of braces.
        content = self._prompt.replace("{problem}", problem, 1).replace("{solution}", solution, 1)
        body: dict[str, Any] = {"model": self._model, "messages": [{"role": "user", "content": content}], "temperature": 0}
        answer = await self._post(body | {"max_tokens": MAX_TOKENS}, problem)
        try:
            (choice,) = answer["choices"]
            usage = answer.get("usage") or {}
            n_tokens = int(usage.get("prompt_tokens", 0)) + int(usage.get("completion_tokens", 0))
            return Score(_probability(choice), n_tokens)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RewardModelError("The judge's server returned something other than a chat completion.") from None

    async def _post(self, body: dict[str, Any], problem: str) -> dict[str, Any]:
        try:
            if self._log_probs:
                try:
                    return await self._upstream.post(
                        "/v1/chat/completions", body | {"logprobs": True, "top_logprobs": 20}, affinity=problem
                    )
                except UpstreamRejected as rejected:
                    if rejected.status != 400 or rejected.error.get("param") not in ("logprobs", "top_logprobs"):
                        raise
                    self._log_probs = False
                    logger.warning("The judge's server returns no log probabilities. Each verdict is scored 3/4 or 1/4.")
            return await self._upstream.post("/v1/chat/completions", body, affinity=problem)
        except UpstreamRejected as rejected:
            raise error_of(rejected) from None


def _probability(choice: dict[str, Any]) -> float:
    """Probability of "Yes" at the verdict of one choice of a chat completion."""
    verdicts = list(_VERDICT.finditer(choice["message"]["content"] or ""))
    if not verdicts:
        raise RewardModelError("The judge gave no verdict. It must end with 'Is the solution correct? Yes' or 'No'.")
    tokens = (choice.get("logprobs") or {}).get("content") or []
    text = "".join(token["token"] for token in tokens)
    found = list(_VERDICT.finditer(text))
    mass = {"yes": 0.0, "no": 0.0}
    if found:
        end = 0
        for token in tokens:
            end += len(token["token"])
            if end > found[-1].start(1):
                for other in token["top_logprobs"]:
                    word = other["token"].strip().lower()
                    if word in mass and is_number(other["logprob"]):
                        mass[word] += math.exp(other["logprob"])
                break
    if sum(mass.values()) > 0:
        return mass["yes"] / sum(mass.values())
    return 0.75 if verdicts[-1][1].lower() == "yes" else 0.25
