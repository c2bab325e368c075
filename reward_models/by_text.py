"""Reward models that answer with one of two tokens, on servers that take text: llama.cpp, Ollama and others.

Their tokenizer need not be at hand. The prompt is sent as text or as a conversation, one token is sampled, and the score is
read from the log probabilities that the server returns for it.
"""

from typing import Any

from epf.core.errors import RewardModelError
from epf.core.generator import Message
from epf.core.reward_model import Score
from epf.engines.http.errors import UpstreamRejected
from epf.engines.http.replicas import Upstream
from epf.engines.http.wording import address
from epf.reward_models.base import SharedRewardModel
from epf.reward_models.completion_server import CompletionServer, NoRoom, computed_prompt_tokens
from epf.reward_models.families.by_text import TextFamily
from epf.reward_models.families.family import sigmoid
from epf.reward_models.http import error_of, no_log_probs
from epf.reward_models.top_tokens import AnswersMissing, TopToken, answer_log_probs, spelled


class TextRewardModel(SharedRewardModel):
    """Client of a server of completions; see :class:`epf.core.reward_model.RewardModel`.

    Args:
        upstream: the servers, closed with this object.
        family: family of the model.
        model: name of the model on its server.
        description: what was found out about it, for people.
    """

    def __init__(self, upstream: Upstream, family: TextFamily, model: str, description: str = "") -> None:
        super().__init__(model, description)
        self._upstream = upstream
        self._family = family
        self._server = CompletionServer(upstream, model)
        self._has_more = True

    async def _compute(self, problem: str, steps: tuple[str, ...]) -> Score:
        prompt, private = self._family.prompt(problem, steps), (problem, *steps)
        try:
            return self._score(*await self._server.next_token(prompt, affinity=problem))
        except AnswersMissing:
            return await self._look_further(prompt, problem)
        except NoRoom as error:
            raise error_of(error.rejected, self._upstream, private) from None
        except UpstreamRejected as rejected:
            raise error_of(rejected, self._upstream, private) from None
        except ValueError as error:
            raise RewardModelError(f"{self._where} returned {error}.") from None

    async def _look_further(self, prompt: str | tuple[Message, ...], problem: str) -> Score:
        """Read the score where the two answers are not among the first tokens."""
        if self._has_more:
            try:
                return self._score(*await self._server.many_next_tokens(prompt, affinity=problem))
            except (UpstreamRejected, RewardModelError):
                self._has_more = False
            except (AnswersMissing, ValueError):
                pass
        answers = " and ".join(repr(spelled(answer)) for answer in self._family.answers)
        raise RewardModelError(
            f"{self._where} does not have {answers} among the most likely tokens after a step."
            f" Check that it serves a model of the family {self._family.name} and adds nothing to its prompt.",
            retryable=False,
        )

    def _score(self, top: list[TopToken], answer: dict[str, Any]) -> Score:
        if not top:
            raise no_log_probs(self._upstream, self._family.name)
        right, wrong = answer_log_probs(top, self._family.answers)
        return Score(sigmoid(right - wrong), computed_prompt_tokens(answer))

    @property
    def _where(self) -> str:
        return f"The server of the reward model at {address(self._upstream.url)}"

    async def _check_ready(self) -> None:
        await self._upstream.ready("/v1/models", unknown=True)

    async def _release(self) -> None:
        await self._upstream.aclose()
