"""pydantic-ai: an agent over chats and over responses."""

import asyncio
from importlib.metadata import version
from typing import Any

from cases import KEY, MODEL, PROBLEM, TOO_LONG, raised, report, until_nothing_runs, until_something_runs, url
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Answer(BaseModel):
    answer: int


def agent(server: str = "real", *, key: str = KEY, name: str = MODEL, kind: Any = OpenAIChatModel, **options: Any) -> Any:
    client = AsyncOpenAI(base_url=url(server), api_key=key, max_retries=0)
    return Agent(kind(name, provider=OpenAIProvider(openai_client=client)), **options)


def basic() -> None:
    result = agent(instructions="Solve it.").run_sync(PROBLEM)
    assert "\\boxed{28}" in agent().run_sync(PROBLEM).output
    assert result.output


def streamed(asked: Any) -> str:
    async def ask() -> str:
        async with asked.run_stream(PROBLEM) as result:
            return "".join([part async for part in result.stream_text(delta=True)])

    return asyncio.run(ask())


def stream() -> None:
    assert "\\boxed{28}" in streamed(agent())


def usage() -> None:
    found = agent().run_sync(PROBLEM).usage
    assert 0 < found.details["reasoning_tokens"] < found.output_tokens


def refused(asked: Any, words: str, prompt: str = PROBLEM) -> None:
    assert words in str(raised(ModelAPIError, lambda: asked.run_sync(prompt)))


def overload() -> None:
    refused(agent("overloaded"), "overloaded")
    agent("overloaded").run_sync(PROBLEM)


def fault() -> None:
    assert "the engine went away" in str(raised(Exception, lambda: streamed(agent("faulty"))))


def disconnect() -> None:
    async def leave() -> None:
        running = asyncio.create_task(agent("endless").run(PROBLEM))
        await asyncio.to_thread(until_something_runs)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(leave())
    until_nothing_runs()


def tools() -> None:
    asked = agent()
    asked.tool_plain(lambda number: number, name="double")
    refused(asked, "tools")


def responses() -> None:
    assert "\\boxed{28}" in agent(kind=OpenAIResponsesModel).run_sync(PROBLEM).output


def responses_stream() -> None:
    assert "\\boxed{28}" in streamed(agent(kind=OpenAIResponsesModel))


report(
    f"pydantic-ai {version('pydantic-ai-slim')}",
    {
        "basic": basic,
        "stream": stream,
        "usage": usage,
        "bad model": lambda: refused(agent(name="gpt-4o"), "model_not_found"),
        "bad key": lambda: refused(agent(key="wrong"), "invalid_api_key"),
        "too long": lambda: refused(agent(), "context_length_exceeded", TOO_LONG),
        "overload": overload,
        "mid-stream fault": fault,
        "disconnect": disconnect,
        "tools": tools,
        "JSON format": lambda: refused(agent(output_type=NativeOutput(Answer)), "response_format"),
        "responses": responses,
        "responses stream": responses_stream,
    },
    otherwise="it has no such call",
)
