"""A language model that is asked to judge, through any OpenAI-compatible chat endpoint.

``thinkprm`` is the prompt that ThinkPRM was trained with (arXiv 2504.16828; model cards launch/ThinkPRM-1.5B and -14B): the
model reasons about every step and ends with "Is the solution correct? Yes" or "No". ``judge`` asks any other model for the same
ending. The score is the probability of "Yes" against "No" at that last word. If the server returns no probabilities, one
verdict counts as one observation: 3/4 or 1/4, the posterior mean under Jeffreys' prior.

A model may reason and give no verdict. It is then asked for one word after what it wrote, and that word is scored in the same
way. A step without a verdict even then has the score 1/2, no opinion.

A judge reads text: unlike the token families, it cannot be kept from believing what a step claims about itself.
"""

import logging
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.engines.http.dialect import Dialect, OptionalField
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

QUESTION = "Is the solution correct? Reply with one word, Yes or No."
MAX_TOKENS = 8192
MIN_TOKENS = 256
"""A context with less room than that has no room for the trace."""

VERDICT_TOKENS = 4
"""Room for one word, however it is tokenized."""

CRITIQUE_CHARACTERS = 4000
"""How much of a critique without a verdict is sent with the question: its end, which a short context has room for."""

NO_OPINION = 0.5
MIN_MASS = 0.01
"""Probability of both words together below which a token is no verdict."""

_VERDICT = re.compile(r"is the solution correct\?[\s*:]*(yes|no)\b", re.IGNORECASE)
_WORD = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)

_TOO_LARGE = re.compile(r"too (?:large|high|big)|at most|maximum|less than|exceed|<=|greater than", re.IGNORECASE)

FIELDS = {
    "logprobs": OptionalField("it returns no log probabilities, so each verdict is scored 3/4 or 1/4", group=("top_logprobs",)),
    "top_logprobs": OptionalField(forms=(lambda _: ("top_logprobs", 5),), group=("logprobs",)),
    "temperature": OptionalField("it samples its verdicts", standard=True),
    "max_tokens": OptionalField("its own limit applies", standard=True, forms=(lambda n: ("max_completion_tokens", n),)),
}
"""Fields that a request can do without."""


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
        self._dialect = Dialect("the reward model", FIELDS)
        self._max_tokens: int | None = None

    async def _check_ready(self) -> None:
        await self._upstream.ready("/v1/models", unknown=True)

    async def _release(self) -> None:
        await self._upstream.aclose()

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        solution = "\n\n".join(f"Step {i}: {step}" for i, step in enumerate(steps, start=1))
        # Not str.format, since problem and steps are full of braces.
        content = self._prompt.replace("{problem}", problem, 1).replace("{solution}", solution, 1)
        private = (problem, *steps)
        try:
            judgement = await self._judge(content, problem)
        except (UpstreamRejected, _NoRoom) as error:
            raise error_of(_rejection(error), self._upstream, private) from None
        probability, n_tokens = judgement.probability(), judgement.n_tokens
        if probability is None:
            try:
                verdict = await self._force_verdict(content, judgement.text, problem)
                probability, n_tokens = verdict.forced_probability(), n_tokens + verdict.n_tokens
            except (UpstreamRejected, _NoRoom) as error:
                error_of(_rejection(error), self._upstream, private)  # logs it
        if probability is None:
            logger.warning("the judge gave no verdict on a step, which counts as no opinion")
        return Score(NO_OPINION if probability is None else probability, n_tokens)

    async def _judge(self, content: str, problem: str) -> "_Judgement":
        """Ask for a judgement, with as much room as the model's context leaves."""
        max_tokens = self._max_tokens or MAX_TOKENS
        while True:
            try:
                judgement = await self._ask([{"role": "user", "content": content}], max_tokens, problem)
            except _NoRoom:
                if max_tokens <= MIN_TOKENS:
                    raise
                max_tokens //= 2
            else:
                self._max_tokens = self._max_tokens or max_tokens
                return judgement

    async def _force_verdict(self, content: str, critique: str, problem: str) -> "_Judgement":
        """Ask for one word. At temperature 0 the same question would get the same reply."""
        if critique.strip():
            said = {"role": "assistant", "content": critique[-CRITIQUE_CHARACTERS:]}
            messages = [{"role": "user", "content": content}, said, {"role": "user", "content": QUESTION}]
        else:
            messages = [{"role": "user", "content": f"{content}\n\n{QUESTION}"}]
        return await self._ask(messages, VERDICT_TOKENS, problem)

    async def _ask(self, messages: list[dict[str, str]], max_tokens: int, problem: str) -> "_Judgement":
        body = {"model": self._model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}

        async def send(accepted: dict[str, Any]) -> dict[str, Any]:
            try:
                return await self._upstream.post("/v1/chat/completions", accepted, affinity=problem)
            except UpstreamRejected as rejected:
                refusal = rejected.refusal
                is_limit = refusal.named({"max_tokens", "max_completion_tokens"}) and _TOO_LARGE.search(refusal.words)
                if refusal.too_long or is_limit:
                    raise _NoRoom(rejected) from None
                raise

        return _Judgement(await self._dialect.send(body | {"logprobs": True, "top_logprobs": 20}, send))


class _NoRoom(Exception):
    """The request has no room in the model's context, or asks for more tokens than the model writes."""

    def __init__(self, rejected: UpstreamRejected) -> None:
        super().__init__("no room")
        self.rejected = rejected


def _rejection(error: UpstreamRejected | _NoRoom) -> UpstreamRejected:
    return error.rejected if isinstance(error, _NoRoom) else error


class _Judgement:
    """One chat completion.

    Raises:
        RewardModelError: it is something else.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        try:
            (choice,) = answer["choices"]
            message = choice["message"]
            self.text = _content(message.get("content")) or _content(
                message.get("reasoning_content") or message.get("reasoning")
            )
            self.n_tokens = _count(answer.get("usage"))
            tokens = (choice.get("logprobs") or {}).get("content") or []
            self._tokens = [(_content(token["token"]), _word_mass(token.get("top_logprobs") or [])) for token in tokens]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RewardModelError("The judge's server returned something other than a chat completion.") from None

    def probability(self) -> float | None:
        """Probability of "Yes" at the verdict; None without a verdict."""
        verdicts = list(_VERDICT.finditer(self.text))
        if not verdicts:
            return None
        found = list(_VERDICT.finditer("".join(text for text, _ in self._tokens)))
        end = 0
        for text, mass in self._tokens if found else ():
            end += len(text)
            if end > found[-1].start(1):
                if sum(mass) > 0:
                    return mass[0] / sum(mass)
                break
        return _observed(verdicts[-1][1])

    def forced_probability(self) -> float | None:
        """Probability of "Yes" where one word was asked for; None without such a word."""
        for _, mass in self._tokens:
            if sum(mass) > MIN_MASS:
                return mass[0] / sum(mass)
        word = _WORD.match(self.text)
        return None if word is None else _observed(word[1])


def _observed(verdict: str) -> float:
    return 0.75 if verdict.lower() == "yes" else 0.25


def _word_mass(top: list[dict[str, Any]]) -> tuple[float, float]:
    """Probability of "Yes" and of "No" at one token."""
    mass = {"yes": 0.0, "no": 0.0}
    for other in top:
        word = other["token"].strip().lower()
        if word in mass and is_number(other["logprob"]):
            mass[word] += math.exp(other["logprob"])
    return mass["yes"], mass["no"]


def _content(content: object) -> str:
    """Text of a message, which may come in parts."""
    if isinstance(content, list):
        return "".join(_content(part.get("text")) for part in content)
    if content is not None and not isinstance(content, str):
        raise TypeError
    return content or ""


def _count(usage: object) -> int:
    """Number of tokens that the server counted; 0 where it does not say."""
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
    return sum(count for count in counts if type(count) is int and count > 0)
