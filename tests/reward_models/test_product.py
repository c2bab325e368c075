"""Several reward models as one."""

import asyncio
from collections.abc import Sequence
from itertools import product as outcomes
from math import prod

import pytest

from epf.core.errors import ContextTooLong, RewardModelError
from epf.core.reward_model import RewardModelWrapper, Score
from epf.reward_models.calibration import CalibratedRewardModel, Calibration
from epf.reward_models.product import ProductRewardModel, parts, product
from tests.search.scripted import Judge, RewardModel

STEPS = ("one", "two")


class Named(RewardModelWrapper):
    """A reward model with a name of its own, which counts how often it is closed."""

    def __init__(self, name: str, judge: Judge) -> None:
        self.scripted = RewardModel(judge)
        super().__init__(self.scripted)
        self._name = name
        self.n_closed = 0

    @property
    def name(self) -> str:
        return self._name

    async def aclose(self) -> None:
        self.n_closed += 1
        if self._name == "cannot close":
            raise RewardModelError("it cannot close")


def models(*probabilities: float) -> list[Named]:
    return [Named(f"m{k}", lambda _, p=p: p) for k, p in enumerate(probabilities)]  # type: ignore[misc]


def scored(model: ProductRewardModel, steps: Sequence[str] = STEPS) -> Score:
    async def main() -> Score:
        async with asyncio.timeout(60):
            return await model.score("problem", steps)

    return asyncio.run(main())


@pytest.mark.parametrize("given", [(0.9, 0.6), (0.2, 0.7), (0.9, 0.5), (0.8, 0.8, 0.3), (0.01, 0.02, 0.999, 0.4)])
def test_the_product_is_renormalised_over_both_outcomes(given: tuple[float, ...]) -> None:
    right, wrong = prod(given), prod(1 - p for p in given)
    assert product(given) == pytest.approx(right / (right + wrong), rel=1e-12)
    assert scored(ProductRewardModel(models(*given))).probability == product(given)
    assert product(given[::-1]) == pytest.approx(product(given), rel=1e-12)


def test_it_is_the_posterior_of_independent_calibrated_readings() -> None:
    """Enumerated: a step is right in half of the cases, and each of three models says so with its own rate of errors."""
    rates = (0.1, 0.25, 0.4)
    for said in outcomes((True, False), repeat=len(rates)):
        right = 0.5 * prod(1 - rate if said_right else rate for rate, said_right in zip(rates, said, strict=True))
        wrong = 0.5 * prod(rate if said_right else 1 - rate for rate, said_right in zip(rates, said, strict=True))
        readings = [1 - rate if said_right else rate for rate, said_right in zip(rates, said, strict=True)]
        assert product(readings) == pytest.approx(right / (right + wrong), rel=1e-12)


def test_certainties_neither_break_it_nor_are_final() -> None:
    assert product((1.0, 0.0)) == pytest.approx(0.5)
    assert 0 < product((0.0, 0.0)) < 1e-6 < 1 - 1e-6 < product((1.0, 1.0)) < 1


def test_a_calibration_is_the_exponent_of_its_model() -> None:
    sure, other = models(0.99, 0.2)
    half = CalibratedRewardModel(sure, Calibration(model="m0", method="platt", n=1, slope=0.5))
    odds = (0.99 / 0.01) ** 0.5 * (0.2 / 0.8)
    assert scored(ProductRewardModel([half, other])).probability == pytest.approx(odds / (1 + odds))


def test_the_tokens_of_each_are_counted() -> None:
    first, second = Named("m0", lambda _: Score(0.6, 7)), Named("m1", lambda _: Score(0.7, 4))
    score = scored(ProductRewardModel([first, second]))
    assert (score.n_tokens, score.n_tokens_of) == (11, (("m0", 7), ("m1", 4)))
    assert first.scripted.calls == second.scripted.calls == [STEPS]


def test_name_and_parts() -> None:
    both = ProductRewardModel(models(0.5, 0.5))
    assert both.name == "m0 * m1"
    assert [each.name for each in parts(both)] == ["m0", "m1"]
    assert [each.name for each in parts(both.models[0])] == ["m0"]


def test_models_with_one_name_are_numbered() -> None:
    both = ProductRewardModel([Named("m", lambda _: Score(0.6, 7)), Named("m", lambda _: Score(0.7, 4))])
    assert both.name == "m * m (2)"
    assert scored(both).n_tokens_of == (("m", 7), ("m (2)", 4))


def test_it_needs_two_different_ones() -> None:
    (one,) = models(0.5)
    for given in ([], [one], [one, one]):
        with pytest.raises(ValueError, match="at least two different reward models"):
            ProductRewardModel(given)


@pytest.mark.parametrize("error", [RewardModelError("it is gone"), ContextTooLong("too long")])
def test_a_failure_of_one_is_that_of_the_product_and_cancels_the_others(error: Exception) -> None:
    async def never(_: tuple[str, ...]) -> float:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        begun = asyncio.Event()

        async def fail() -> float:
            await begun.wait()
            raise error

        async def wait() -> float:
            begun.set()
            return await never(STEPS)

        slow, broken = Named("slow", lambda _: wait()), Named("broken", lambda _: fail())
        async with asyncio.timeout(60):
            with pytest.raises(type(error)) as caught:
                await ProductRewardModel([slow, broken]).score("problem", STEPS)
        assert caught.value is error
        assert slow.scripted.n_cancelled == 1

    asyncio.run(main())


def test_a_cancelled_call_cancels_all() -> None:
    async def main() -> None:
        n_begun = 0
        all_begun = asyncio.Event()

        async def wait() -> float:
            nonlocal n_begun
            n_begun += 1
            if n_begun == 2:
                all_begun.set()
            await asyncio.Event().wait()
            raise AssertionError

        first, second = Named("m0", lambda _: wait()), Named("m1", lambda _: wait())
        call = asyncio.create_task(ProductRewardModel([first, second]).score("problem", STEPS))
        async with asyncio.timeout(60):
            await all_begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert first.scripted.n_cancelled == second.scripted.n_cancelled == 1

    asyncio.run(main())


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_score_out_of_range_is_an_error_that_names_its_model(value: float) -> None:
    with pytest.raises(RewardModelError, match="reward model m1 returned no probability"):
        scored(ProductRewardModel(models(0.5, value)))


def test_all_are_closed_even_if_one_cannot_close() -> None:
    first, middle, last = (Named(name, lambda _: 0.5) for name in ("first", "cannot close", "last"))
    with pytest.raises(RewardModelError, match="cannot close"):
        asyncio.run(ProductRewardModel([first, middle, last]).aclose())
    assert [each.n_closed for each in (first, middle, last)] == [1, 1, 1]
