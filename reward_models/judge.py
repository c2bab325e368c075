"""A language model that is asked to judge, through any OpenAI-compatible chat endpoint.

``thinkprm`` is the prompt that ThinkPRM was trained with (arXiv 2504.16828; model cards launch/ThinkPRM-1.5B and -14B): it
thinks about every step and ends with "Is the solution correct? Yes" or "No". ``judge`` asks any other model for the same
ending. The score is the probability of "Yes" against "No" at that last word. Where the server tells no probabilities, one
verdict is one observation: 3/4 or 1/4, the mean of Jeffreys' prior after it.

A judge reads text: unlike the token families, it cannot be kept from believing what a step says about itself.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.engines.http.errors import Refused
from epf.engines.http.replicas import Upstream, is_number
from epf.reward_models.servers import as_ours
from epf.reward_models.sharing import Shared
from epf.reward_models.trace import check_trace

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


class ChatJudge:
    """Asks a chat model; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        upstream: the endpoint, closed with this object.
        model: its name there.
        prompt: a key of ``PROMPTS``.
    """

    def __init__(self, upstream: Upstream, model: str, prompt: str) -> None:
        self._upstream = upstream
        self._model = model
        self._prompt = PROMPTS[prompt]
        self._log_probs = True
        self._shared: Shared[tuple[str, tuple[str, ...]], Score] = Shared(model)

    @property
    def name(self) -> str:
        """Model name as a user would write it."""
        return self._model

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest of ``steps``. A trace that others have asked for and wait for is asked once."""
        check_trace(problem, steps)
        trace = (problem, tuple(steps))
        score, made = await self._shared.get(trace, lambda: self._ask(*trace))
        return score if made else Score(score.probability, 0)

    async def ready(self) -> None:
        """Raise unless a replica answers what every such endpoint does."""
        self._shared.check_open()
        await self._upstream.ready("/v1/models")

    async def aclose(self) -> None:
        """Fail open calls and close the connections."""
        await self._shared.aclose()
        await self._upstream.aclose()

    async def _ask(self, problem: str, steps: tuple[str, ...]) -> Score:
        solution = "\n\n".join(f"Step {i}: {step}" for i, step in enumerate(steps, start=1))
        # Not str.format: problem and steps are full of braces.
        content = self._prompt.replace("{problem}", problem, 1).replace("{solution}", solution, 1)
        body: dict[str, Any] = {"model": self._model, "messages": [{"role": "user", "content": content}], "temperature": 0}
        answer = await self._post(body | {"max_tokens": MAX_TOKENS}, problem)
        try:
            (choice,) = answer["choices"]
            usage = answer.get("usage") or {}
            n_tokens = int(usage.get("prompt_tokens", 0)) + int(usage.get("completion_tokens", 0))
            return Score(_probability(choice), n_tokens)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RewardModelError("the judge's server answered with something that is no chat completion") from None

    async def _post(self, body: dict[str, Any], problem: str) -> dict[str, Any]:
        try:
            if self._log_probs:
                try:
                    return await self._upstream.post(
                        "/v1/chat/completions", body | {"logprobs": True, "top_logprobs": 20}, affinity=problem
                    )
                except Refused as refused:
                    if refused.status != 400 or refused.error.get("param") not in ("logprobs", "top_logprobs"):
                        raise
                    self._log_probs = False
                    logger.warning("the judge's server tells no log-probabilities: its verdicts count 3/4 or 1/4")
            return await self._upstream.post("/v1/chat/completions", body, affinity=problem)
        except Refused as refused:
            raise as_ours(refused) from None


def _probability(choice: dict[str, Any]) -> float:
    """Of "Yes" at the verdict, from a choice of a chat completion."""
    verdicts = list(_VERDICT.finditer(choice["message"]["content"] or ""))
    if not verdicts:
        raise RewardModelError("the judge gave no verdict on a step: it must end with 'Is the solution correct? Yes' or 'No'")
    tokens = (choice.get("logprobs") or {}).get("content") or []
    text = "".join(token["token"] for token in tokens)
    told = list(_VERDICT.finditer(text))
    mass = {"yes": 0.0, "no": 0.0}
    if told:
        end = 0
        for token in tokens:
            end += len(token["token"])
            if end > told[-1].start(1):
                for other in token["top_logprobs"]:
                    word = other["token"].strip().lower()
                    if word in mass and is_number(other["logprob"]):
                        mass[word] += math.exp(other["logprob"])
                break
    if sum(mass.values()) > 0:
        return mass["yes"] / sum(mass.values())
    return 0.75 if verdicts[-1][1].lower() == "yes" else 0.25
