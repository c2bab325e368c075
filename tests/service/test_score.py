import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from epf.core.errors import ContextTooLong
from epf.core.reward_model import Score
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"
CHARS: dict[str, Any] = {"max_step_chars": 100, "max_solution_chars": 150}
STEPS = ["40 + 2 = 42.", "The answer is \\boxed{42}."]


class Listening(ScriptedRewardModel):
    """Records its calls."""

    def __init__(self, answers: Sequence[Any] = ()) -> None:
        super().__init__()
        self.asked: list[tuple[str, ...]] = []
        self.answers = list(answers)

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        self.asked.append(tuple(steps))
        if not self.answers:
            return await super().score(problem, steps)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


def ask(reward_model: ScriptedRewardModel, body: Any, settings: Settings | None = None) -> httpx.Response:
    async def post() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), reward_model, settings)) as client:
            return await client.post("/score", json=body)

    return asyncio.run(post())


def test_a_score_after_each_step() -> None:
    reward_model = Listening([Score(0.75, 9), Score(0.5, 4)])
    response = ask(reward_model, {"problem": PROBLEM, "steps": STEPS})
    assert response.status_code == 200
    body = response.json()
    assert body["scores"] == [0.75, 0.5]
    assert body["prm_tokens"] == 13
    assert body["model"] == "scripted-reward-model"
    assert set(body) == {"id", "model", "scores", "prm_tokens"}
    assert reward_model.asked == [(STEPS[0],), tuple(STEPS)]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"steps": STEPS}, "problem"),
        ({"problem": " ", "steps": STEPS}, "problem"),
        ({"problem": "x" * 101, "steps": STEPS}, "problem"),
        ({"problem": PROBLEM}, "steps"),
        ({"problem": PROBLEM, "steps": []}, "steps"),
        ({"problem": PROBLEM, "steps": "40 + 2 = 42."}, "steps"),
        ({"problem": PROBLEM, "steps": ["a", " \n"]}, "steps.1"),
        ({"problem": PROBLEM, "steps": ["a", "b", ""]}, "steps.2"),
        ({"problem": PROBLEM, "steps": ["a", 7]}, "steps.1"),
        ({"problem": PROBLEM, "steps": ["a", "x" * 101]}, "steps.1"),
        ({"problem": PROBLEM, "steps": ["a"] * 4}, "steps"),
        ({"problem": PROBLEM, "steps": ["a" * 60, "b" * 60, "c" * 60]}, "steps"),
        ({"problem": PROBLEM, "steps": ["a"], "n_particles": 4}, "n_particles"),
    ],
)
def test_invalid_fields_are_named_and_nothing_is_scored(body: Any, param: str) -> None:
    reward_model = Listening()
    response = ask(reward_model, body, Settings(max_problem_chars=100, max_steps=3, **CHARS))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert reward_model.asked == []


def test_limits_are_named() -> None:
    settings = Settings(max_problem_chars=100, max_steps=3, **CHARS)
    for body, limit, setting in (
        ({"problem": "x" * 101, "steps": STEPS}, "100 characters", "EPF_MAX_PROBLEM_CHARS"),
        ({"problem": "x", "steps": ["a"] * 4}, "3 items", "EPF_MAX_STEPS"),
        ({"problem": "x", "steps": ["数" * 101]}, "100 characters", "EPF_MAX_STEP_CHARS"),
        ({"problem": "x", "steps": ["a" * 80, "b" * 80]}, "150 characters", "EPF_MAX_SOLUTION_CHARS"),
    ):
        message = ask(Listening(), body, settings).json()["error"]["message"]
        assert f"at most {limit} " in message
        assert setting in message
    message = ask(Listening(), {"problem": PROBLEM, "steps": STEPS, "seed": 1}).json()["error"]["message"]
    assert "The fields are problem, steps." in message


def test_the_first_step_that_exceeds_the_context_is_named() -> None:
    reward_model = Listening([Score(0.5, 1), ContextTooLong("the trace has 11 tokens, the model a context of 10 tokens")])
    response = ask(reward_model, {"problem": PROBLEM, "steps": ["a", "b", "c"]})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == ("steps.1", "context_length_exceeded")
    assert "context of 10 tokens" in error["message"]


@pytest.mark.parametrize("answer", [Score(float("nan"), 1), Score(1.5, 1), None, KeyError("canary")])
def test_an_invalid_score_is_a_failure_of_the_reward_model(answer: Any) -> None:
    response = ask(Listening([answer]), {"problem": PROBLEM, "steps": STEPS})
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "reward_model_error"
    assert "canary" not in response.text


def test_deadline_holds() -> None:
    response = ask(ScriptedRewardModel(hold=True), {"problem": PROBLEM, "steps": STEPS}, Settings(max_seconds=0.01))
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"
