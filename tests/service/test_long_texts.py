"""While a long text is tokenized, the server responds to everybody else."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from epf.core.generator import Message
from epf.core.off_loop import LONG_CHARS
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of

TEXT = "a" * LONG_CHARS
BODIES: dict[str, Any] = {
    "/solve": {"problem": TEXT},
    "/v1/chat/completions": {"model": "epf-2", "messages": [{"role": "user", "content": TEXT}]},
    "/v1/responses": {"model": "epf-2", "input": TEXT},
    "/v1/completions": {"model": "epf-2", "prompt": TEXT},
}


class SlowReader(ScriptedGenerator):
    """Tokenizes when it is released."""

    context_length = 100_000

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.released = threading.Event()

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        self.reading.set()
        assert self.released.wait(20), "nothing else ran meanwhile"
        return super().prompt_ids(messages)


@pytest.mark.parametrize("path", BODIES)
def test_the_server_responds_while_a_long_text_is_tokenized(path: str) -> None:
    async def test() -> None:
        generator = SlowReader()
        async with client_of(create_app(generator, ScriptedRewardModel(), Settings())) as client:
            answer = asyncio.create_task(client.post(path, json=BODIES[path]))
            assert await asyncio.to_thread(generator.reading.wait, 20)
            assert (await client.get("/healthz")).status_code == 200
            assert not answer.done()
            generator.released.set()
            assert (await answer).status_code == 200

    asyncio.run(asyncio.wait_for(test(), 60))
