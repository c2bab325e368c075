"""Runs single searches with one pair of models and grades them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from epf.core.errors import ContextTooLong, GeneratorError, InvalidRequest, RewardModelError, SearchServiceError
from epf.core.generator import Abilities, Generator, abilities_of
from epf.core.reward_model import RewardModel
from epf.evaluation.exact_labels import ExactLabels
from epf.evaluation.memo import MemoGenerator, MemoRewardModel, WaitingGenerator
from epf.evaluation.plan import Task
from epf.evaluation.right import is_right
from epf.evaluation.rows import Failure, ModelNames, Row, failed_row, row_of
from epf.search import runner
from epf.search.answers.checker import AnswerChecker
from epf.search.confidence.fitted import ConfidenceMap
from epf.search.events import Event, StepTaken


class Models(Protocol):
    """Models that searches share."""

    @property
    def generator(self) -> Generator:
        """The generator."""

    @property
    def reward_model(self) -> RewardModel | None:
        """The reward model, None for methods that need none."""

    @property
    def checker(self) -> AnswerChecker:
        """Compares answers."""

    @property
    def confidence(self) -> ConfidenceMap | None:
        """A confidence map fitted for these models; None is the search's own choice."""


LoadModels = Callable[[], AbstractAsyncContextManager[Models]]


class Searcher(Protocol):
    """Runs searches, in this process or elsewhere."""

    async def run(self, task: Task) -> Row:
        """Search, grade, and return the row; a failed search has a row too.

        Raises:
            InvalidRequest: the method cannot search with these models, so that no row would be meaningful.
        """


class Worker:
    """A :class:`Searcher` in this process. Searches share their draws, except those that run alone."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._alone = WaitingGenerator(models.generator)
        self._generator = MemoGenerator(models.generator)
        self._reward_model = None if models.reward_model is None else MemoRewardModel(models.reward_model)

    @property
    def models(self) -> ModelNames:
        """Names of the models."""
        scored_by = self._models.reward_model
        return self._models.generator.name, None if scored_by is None else scored_by.name

    @property
    def abilities(self) -> Abilities:
        """What the generator can do."""
        return abilities_of(self._models.generator)

    async def run(self, task: Task) -> Row:
        """Search, grade, and return the row; a failed search has a row too. Cancelling the call cancels the search.

        Raises:
            InvalidRequest: the method cannot search with these models.
        """
        n_generated = 0

        def count(event: Event) -> None:
            nonlocal n_generated
            if isinstance(event, StepTaken):
                n_generated += event.n_tokens

        scored_by: RewardModel | None = self._models.reward_model if task.alone else self._reward_model
        if task.exact:
            scored_by = ExactLabels(task.problem)
        try:
            result = await runner.search(
                task.request,
                generator=self._alone if task.alone else self._generator,
                reward_model=scored_by,
                checker=self._models.checker,
                confidence=None if task.exact else self._models.confidence,
                emit=count,
            )
            checker, gold = self._models.checker, task.problem.gold
            right = [particle.finished and await is_right(checker, particle.answer, gold) for particle in result.particles]
            correct = await is_right(checker, result.conclusion, gold)
        except SearchServiceError as error:
            if isinstance(error, InvalidRequest) and not isinstance(error, ContextTooLong):
                raise
            # A server that rejects a key or a name does so until its settings are changed, and then the run is resumed.
            retryable = error.retryable or isinstance(error, GeneratorError | RewardModelError)
            return failed_row(task, Failure(error.code, error.message, retryable), n_generated)
        except Exception as error:  # an unexpected error of one search must not end the others
            message = f"{type(error).__name__}: {error}"
            return failed_row(task, Failure(SearchServiceError.code, message, retryable=True), n_generated)
        return row_of(task, result, correct=correct, right=tuple(right), models=None if task.exact else self.models)
