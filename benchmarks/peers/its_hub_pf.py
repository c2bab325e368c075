"""its_hub's particle filtering as a separate process, which benchmarks.search_overhead runs in its own environment.

Reads one JSON object per line from standard input (``problem``, ``n``) and writes one per line (``seconds``, ``steps``). The
first line names the servers and how a step ends. The generator is the one that its_hub documents for vLLM. The reward model
calls our scoring server for all particles concurrently over persistent connections, the best that its interface allows.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from its_hub.algorithms import ParticleFiltering
from its_hub.api import AbstractProcessRewardModel
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
from its_hub.core.lms.step_generation import StepGeneration


class Scorer(AbstractProcessRewardModel):
    """Scores the newest step with ``epf serve-prm``, as our search does."""

    def __init__(self, url: str, separator: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._separator = separator
        self._session = session

    async def ascore(self, prompt_or_messages: Any, response_or_responses: Any, **_: Any) -> Any:
        """Return one score per response."""
        return await asyncio.gather(*(self._one(str(prompt_or_messages), response) for response in response_or_responses))

    def score(self, *_: Any, **__: Any) -> Any:
        """Not used."""
        raise NotImplementedError

    async def _one(self, prompt: str, response: str) -> float:
        steps = [step for step in response.split(self._separator) if step.strip()]
        body = {"problem": prompt, "steps": steps or ["?"]}
        async with self._session.post(f"{self._url}/score", json=body) as reply:
            return float((await reply.json())["probability"])


async def main() -> None:
    """Run a search for every line until standard input ends."""
    setting = json.loads(sys.stdin.readline())
    separator = setting["separator"]
    # its_hub takes one step more than max_steps.
    generation = StepGeneration(
        setting["max_steps"] - 1, separator, stop_token=setting["stop_token"], temperature=setting["temperature"]
    )
    model = OpenAICompatibleLanguageModel(f"{setting['generator']}/v1", "none", setting["model"])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        search = ParticleFiltering(generation, Scorer(setting["scorer"], separator, session))
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            request = json.loads(line)
            start = time.perf_counter()
            result = await search.ainfer(model, request["problem"], request["n"], return_response_only=False)
            seconds = time.perf_counter() - start
            print(json.dumps({"seconds": seconds, "steps": sum(result.steps_used_lst)}), flush=True)
    await model.close()


if __name__ == "__main__":
    asyncio.run(main())
