"""inspect_ai: an evaluation of two samples with its provider for servers like OpenAI's, by chats and by responses."""

from importlib.metadata import version
from typing import Any

from cases import GUARD_S, KEY, MODEL, PROBLEM, report, url
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

APPLES = "Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?"
SAMPLES = [Sample(input=PROBLEM, target="28"), Sample(input=APPLES, target="15")]


def evaluated(*, key: str = KEY, name: str = MODEL, server: str = "real", **options: Any) -> Any:
    """Return the log of an evaluation."""
    config = GenerateConfig(seed=None if options else 1, max_tokens=128, max_retries=0, timeout=GUARD_S)
    model = get_model(f"openai-api/epf/{name}", base_url=url(server), api_key=key, config=config, **options)
    task = Task(dataset=SAMPLES, solver=generate(), scorer=includes())
    (log,) = eval(task, model=model, display="none", log_dir="logs", fail_on_error=True)
    return log


def solved(log: Any) -> Any:
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 1
    (usage,) = log.stats.model_usage.values()
    return usage


def basic() -> None:
    solved(evaluated())


def usage() -> None:
    found = solved(evaluated())
    assert found.total_tokens == found.input_tokens + found.output_tokens
    assert 0 < found.reasoning_tokens < found.output_tokens


def failed(log: Any, *words: str) -> None:
    assert log.status == "error"
    assert all(word in log.error.message for word in words), log.error.message


def responses() -> None:
    solved(evaluated(responses_api=True))


report(
    f"inspect-ai {version('inspect-ai')}",
    {
        "basic": basic,
        "usage": usage,
        "bad model": lambda: failed(evaluated(name="gpt-4o"), "404", "gpt-4o"),
        "bad key": lambda: failed(evaluated(key="wrong"), "401", "API key is unknown"),
        "responses": responses,
    },
    otherwise="an evaluation makes no such call",
)
