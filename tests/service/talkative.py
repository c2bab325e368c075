"""A server for tests whose every failure quotes the caller: ``python -m tests.service.talkative``.

A word in the problem chooses how it fails. It logs everything that it would log to a very curious operator.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import uvicorn
from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import SecretStr

from epf.core.errors import GeneratorError
from epf.core.generator import Sampling, Step
from epf.core.reward_model import Score
from epf.service.app import create_app
from epf.service.operations import logs
from epf.service.server import config_of, listen
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

KEY = "canary-key-of-the-tests"


class QuotingGenerator(ScriptedGenerator):
    """Quotes the prompt in every failure, in logs of libraries, and in a task that nobody awaits."""

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        prompt = "".join(chr(token - 1000) for token in prefix_ids if token >= 1000)
        library = logging.getLogger("library")
        library.debug("prompt %s", prompt)
        library.warning("prompt %s", prompt)
        if "forgotten" in prompt:
            asyncio.get_running_loop().create_task(fails(prompt))
        late = len(prefix_ids) > len(prompt)
        if "bug" in prompt or ("midway" in prompt and late):
            raise KeyError(prompt)
        if "broken" in prompt:
            try:
                await fails(prompt)
            except ValueError as error:
                raise GeneratorError(f"the engine said {error}") from error
        return await super().step(prefix_ids, sampling, seed)


class QuotingRewardModel(ScriptedRewardModel):
    """Quotes the trace in every failure."""

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        if "unjudged" in problem:
            await fails(f"{problem} {steps}")
        return await super().score(problem, steps)


async def fails(quoted: str) -> None:
    """Raise an exception that quotes the caller."""
    raise ValueError(quoted)


def main() -> None:
    """Serve on a free port, which a log line reports, as ``epf serve`` does."""
    app = create_app(QuotingGenerator(), QuotingRewardModel(), Settings(api_keys={"tests": SecretStr(KEY)}))

    @app.post("/fails")
    async def fail(request: Request) -> None:
        await fails((await request.body()).decode())

    @app.post("/fails/midway")
    async def fail_midway(request: Request) -> StreamingResponse:
        quoted = (await request.body()).decode()

        async def begun() -> AsyncIterator[bytes]:
            yield b"a"
            await fails(quoted)

        return StreamingResponse(begun())

    logs.configure("debug")
    with listen("127.0.0.1", 0) as listening:
        logging.getLogger("epf").info("running on http://127.0.0.1:%d", listening.getsockname()[1])
        uvicorn.Server(config_of(app, Settings())).run([listening])


if __name__ == "__main__":
    main()
