"""A language model that is asked to judge, through any chat endpoint: OpenAI's API, or Ollama's.

``thinkprm`` is the prompt that ThinkPRM was trained with (arXiv 2504.16828; model cards launch/ThinkPRM-1.5B and -14B): the
model reasons about every step and ends with "Is the solution correct? Yes" or "No". ``judge`` asks any other model for the
same ending. ``judge-direct`` asks any model for that word alone, without a critique: a direct verifier in the words of arXiv
2408.15240, which judges worse than one that writes a critique first, at a small part of its cost. The score is the
probability of "Yes" against "No" at that last word. If the server returns no probabilities, one verdict counts as one
observation: 3/4 or 1/4, the posterior mean under Jeffreys' prior.

A model may reason and give no verdict. It is then asked for one word after what it wrote, and that word is scored in the same
way. If it does not reply with that word either, for instance because it thinks first, the question is put into its own mouth,
and the word that it would go on with is scored. A step without a verdict even then has the score 1/2, no opinion.

A judge reads text: unlike the token families, it cannot be kept from believing what a step claims about itself. But markers of
turns, and the headings of its prompt, are broken up in problems and steps.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from epf.core.errors import RewardModelError
from epf.core.reward_model import Score
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.engines.known_markers import without_markers
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.completion_server import WITHOUT_THINKING, CompletionServer, NoRoom
from epf.reward_models.http import error_of
from epf.reward_models.judgement import Judgement

logger = logging.getLogger(__name__)

_TASK = """You are given a math problem and a proposed step-by-step solution:

[Math Problem]

{problem}

[Solution]

{solution}

"""

_THINKPRM = (
    _TASK + "Review and critique each step in the proposed solution to determine whether each step is correct. "
    "If the solution is incomplete, only verify the provided steps."
)

QUESTION = "Is the solution correct? Reply with one word, Yes or No."
DIRECT = "judge-direct"

PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "thinkprm": _THINKPRM,
        "judge": _THINKPRM + " End with this line: Is the solution correct? Yes (or No, if any step so far is wrong).",
        DIRECT: _TASK + "Review each step. If the solution is incomplete, only verify the provided steps. " + QUESTION,
    }
)

OWN_QUESTION = "Is the solution correct?"
"""Put at the end of what the model wrote; ThinkPRM was trained to go on with the verdict."""

MAX_TOKENS = 8192
MIN_TOKENS = 256
"""A context with less room than that has no room for the trace."""

VERDICT_TOKENS = 4
"""Room for one word, however it is tokenized."""

CRITIQUE_CHARACTERS = 4000
"""How much of a critique without a verdict is sent with the question: its end, which a short context has room for."""

NO_OPINION = 0.5

FILTERED = frozenset({"content_filter", "content_policy_violation"})
"""Codes with which Azure and OpenAI refuse a text for what it says. That concerns one trace, not the search."""

_HEADING = re.compile(r"\[(Math Problem|Solution)\]", re.IGNORECASE)

_ABOUT_ROLES = re.compile(r"\b(?:roles?|assistant|last message)\b", re.IGNORECASE)
"""Words of a server that refuses a conversation for the order of its messages."""


class ChatJudge(SharedRewardModel):
    """Asks a chat model; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        upstream: the endpoint, closed with this object.
        model: name of the model on the server.
        prompt: a key of ``PROMPTS``.
    """

    def __init__(self, upstream: Upstream, model: str, prompt: str) -> None:
        super().__init__(model, f"family {prompt}, a chat model at {address(upstream.url)}")
        self._upstream = upstream
        self._server = CompletionServer(upstream, model)
        # Not str.format, since problems and steps are full of braces.
        self._before, rest = PROMPTS[prompt].split("{problem}")
        self._between, self._after = rest.split("{solution}")
        self._is_direct = prompt == DIRECT
        self._max_tokens: int | None = None
        self._refused: set[str] = set()
        """Roles with whose message a conversation may not end."""

    async def _check_ready(self) -> None:
        await self._upstream.ready("/v1/models", unknown=True)

    async def _release(self) -> None:
        await self._upstream.aclose()

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        shown, *written = map(_quoted, (problem, *steps))
        solution = "\n\n".join(f"Step {i}: {step}" for i, step in enumerate(written, start=1))
        content = "".join((self._before, shown, self._between, solution, self._after))
        private = (problem, *steps)
        try:
            if self._is_direct:
                judgement = await self._ask([_user(content)], VERDICT_TOKENS, problem, chat_template_kwargs=WITHOUT_THINKING)
                probability = judgement.forced_probability()
            else:
                judgement = await self._judge(content, problem)
                probability = judgement.probability()
        except (UpstreamRejected, NoRoom) as error:
            refused = error_of(_rejection(error), self._upstream, private)
            if _rejection(error).refusal.code in FILTERED:
                logger.warning("the judge's server filters a step out, which counts as no opinion")
                return Score(NO_OPINION, 0)
            raise refused from None
        n_tokens = judgement.n_tokens
        if probability is None:
            for messages, fields in self._last_questions(content, judgement):
                try:
                    verdict = await self._ask(messages, VERDICT_TOKENS, problem, **fields)
                except (UpstreamRejected, NoRoom) as error:
                    error_of(_rejection(error), self._upstream, private)  # logs it
                    if _ABOUT_ROLES.search(_rejection(error).refusal.words):
                        self._refused.add(messages[-1]["role"])
                    continue
                n_tokens += verdict.n_tokens
                probability = verdict.forced_probability(after=messages[-1]["content"])
                if probability is not None:
                    break
        if probability is None:
            logger.warning("the judge gave no verdict on a step, which counts as no opinion")
        return Score(NO_OPINION if probability is None else probability, n_tokens)

    async def _judge(self, content: str, problem: str) -> Judgement:
        """Ask for a judgement, with as much room as the model's context leaves."""
        max_tokens = self._max_tokens or MAX_TOKENS
        while True:
            try:
                judgement = await self._ask([_user(content)], max_tokens, problem)
            except NoRoom:
                if max_tokens <= MIN_TOKENS:
                    raise
                max_tokens //= 2
            else:
                self._max_tokens = self._max_tokens or max_tokens
                return judgement

    def _last_questions(self, content: str, judgement: Judgement) -> Iterator[tuple[list[dict[str, str]], dict[str, Any]]]:
        """Conversations that ask for one word, with further fields. At temperature 0 the same one would get the same reply."""
        critique = "" if self._is_direct else judgement.text[-CRITIQUE_CHARACTERS:].strip()
        if not (self._is_direct or judgement.has_thought or "user" in self._refused):
            said = [_user(content), _assistant(critique), _user(QUESTION)]
            yield said if critique else [_user(f"{content}\n\n{QUESTION}")], {"chat_template_kwargs": WITHOUT_THINKING}
        own = f"{critique}\n\n{OWN_QUESTION}" if critique else OWN_QUESTION
        if "assistant" not in self._refused:
            yield [_user(content), _assistant(own)], {"continue_final_message": True, "add_generation_prompt": False}

    async def _ask(self, messages: list[dict[str, str]], max_tokens: int, problem: str, **fields: Any) -> Judgement:
        try:
            answer = await self._server.chat(messages, max_tokens=max_tokens, affinity=problem, **fields)
            return Judgement(answer)
        except ValueError as error:
            message = f"The server of the reward model at {address(self._upstream.url)} returned {error}."
            raise RewardModelError(message) from None


def _quoted(text: str) -> str:
    """A text that neither ends its part of the prompt nor the user's turn."""
    return _HEADING.sub(r"(\1)", without_markers(text))


def _rejection(error: UpstreamRejected | NoRoom) -> UpstreamRejected:
    return error.rejected if isinstance(error, NoRoom) else error


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def _assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}
