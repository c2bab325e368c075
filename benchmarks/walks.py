"""The number of files on the way through the code: ``python -m benchmarks.walks`` writes ``benchmarks/results/walks.md``.

For each of four walks, it counts the distinct files of the package in which a function is entered between start and end, on any
thread, with everything loaded and warm: one ``POST /solve`` and one ``POST /v1/chat/completions`` without the files of the two
models, one row of ``epf eval`` from its task to its line in ``results.jsonl``, and one step from a server's stream to its
score. It also counts how often the options of one ``POST /solve`` are checked. ``--files`` lists the files.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from benchmarks.output import RESULTS
from epf.core.version import VERSION
from epf.engines.onnx.pairs import STORIES
from epf.evaluation.plan import make_plan, read_contenders
from epf.evaluation.schedule import run_tasks
from epf.evaluation.store import open_store, run_settings
from epf.evaluation.worker import Worker
from epf.generators.registry import GeneratorOptions, load_generator
from epf.problem_sets.registry import load_problems
from epf.reward_models.registry import RewardModelOptions, load_reward_model
from epf.search import Scored, Started, stream
from epf.service.app import create_app
from epf.service.searches.models import open_models
from epf.service.settings import Settings

ROOT = Path(__file__).parents[1]
NOT_THE_PACKAGE = ("tests", "benchmarks", "docs")
MODELS = ("engines", "generators", "reward_models")
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
OPTION_CHECKS = ("resolve_options",)
"""Functions that check the options of a search."""
BEFORE = {
    "POST /solve": 38,
    "POST /v1/chat/completions": 50,
    "one row of epf eval": 42,
    "one step, from stream to score": 22,
}
CHECKS_BEFORE = 6
"""The same counts on the code before it became one package."""


class Profile:
    """Records which functions of the package are entered, on every thread that starts after it."""

    def __init__(self) -> None:
        self.recording = False
        self.entered: list[tuple[str, str]] = []
        threading.setprofile(self._call)
        sys.setprofile(self._call)

    def _call(self, frame: FrameType, event: str, _argument: Any) -> None:
        if self.recording and event == "call":
            self.entered.append((frame.f_code.co_filename, frame.f_code.co_name))

    @contextmanager
    def walk(self) -> Iterator[list[tuple[str, str]]]:
        """Record the functions entered in the block, as path and name; the list is complete when the block has ended."""
        self.entered = []
        self.recording = True
        try:
            yield self.entered
        finally:
            self.recording = False


def files(name: str, entered: list[tuple[str, str]]) -> list[str]:
    """Return the files of the package that the walk ``name`` entered, relative to its root."""
    paths = {Path(path) for path, _ in entered if path.startswith(str(ROOT))}
    inside = sorted(str(path.relative_to(ROOT)) for path in paths)
    excluded = (".", *NOT_THE_PACKAGE, *(MODELS if name.startswith("POST") else ()))
    return [path for path in inside if not path.startswith(excluded)]


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run ``app`` and yield a client in this process once the models are loaded."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", timeout=120) as http,
    ):
        while (await http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.05)
        yield http


async def service(profile: Profile) -> dict[str, list[tuple[str, str]]]:
    """Walk through one POST /solve and one chat completion."""
    solve = "/solve", {"problem": PROBLEM, "n_particles": 4, "seed": 1}
    chat = "/v1/chat/completions", {"model": "epf-4", "seed": 1, "messages": [{"role": "user", "content": PROBLEM}]}
    walks = {}
    async with client(create_app(settings=Settings(generator="stories"))) as http:
        for name, (path, body) in (("POST /solve", solve), ("POST /v1/chat/completions", chat)):
            (await http.post(path, json=body)).raise_for_status()
            with profile.walk() as entered:
                (await http.post(path, json=body)).raise_for_status()
            walks[name] = entered
    return walks


async def evaluation(profile: Profile) -> list[tuple[str, str]]:
    """Walk through one row of ``epf eval``."""
    plan = make_plan(load_problems("synthetic", 2), read_contenders("epf"), [4], seeds=1, timed=0, options={})
    asked = run_settings(plan, {}, dataset="synthetic", models={}, version=VERSION)
    first, second = (task for group in plan.groups() for task in group)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "run", asked) as store:
        async with open_models(Settings(generator="stories")) as models:
            worker = Worker(models)
            await worker.run(first)
            with profile.walk() as entered:
                await run_tasks(plan, [worker], concurrency=1, done={first.key}, emit=store.add)
            assert list(store.rows) == [second.key]
    return entered


def servers() -> FastAPI:
    """Return a completions server that returns text, and a scoring server, each with one fixed answer."""
    app = FastAPI()

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"data": [{"id": "model", "max_model_len": 512}]}

    @app.post("/v1/completions")
    async def completions(_request: Request) -> StreamingResponse:
        choice = {"index": 0, "text": "45 - 17 = 28. \\boxed{28}", "finish_reason": "stop"}
        return StreamingResponse(iter([f"data: {json.dumps({'choices': [choice]})}\n\n", "data: [DONE]\n\n"]))

    @app.post("/score")
    async def score(_request: Request) -> dict[str, Any]:
        return {"scores": [{"probability": 0.9, "n_tokens": 7}], "probability": 0.9, "n_tokens": 7}

    return app


async def step(profile: Profile) -> list[tuple[str, str]]:
    """Walk through one step of one particle, from the start of its request to its score."""
    server = uvicorn.Server(uvicorn.Config(servers(), port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())
    tokenizer = STORIES.generator
    options = GeneratorOptions(kind="openai", name="model", url=url, tokenizer=tokenizer)
    generator = await asyncio.to_thread(load_generator, options)
    reward_model = await asyncio.to_thread(load_reward_model, RewardModelOptions(kind="http", url=url))
    walks = []
    async with aclosing(generator), aclosing(reward_model):
        for _ in range(2):
            events = stream(PROBLEM, generator=generator, reward_model=reward_model, n_particles=1, seed=1)
            with profile.walk() as entered:
                async for event in events:
                    if isinstance(event, Started):
                        entered.clear()
                    if isinstance(event, Scored):
                        profile.recording = False
            walks.append(entered)
    server.should_exit = True
    await serving
    return walks[-1]


async def walks(profile: Profile) -> dict[str, list[tuple[str, str]]]:
    """Return all four walks by name."""
    found = await service(profile)
    found["one row of epf eval"] = await evaluation(profile)
    found["one step, from stream to score"] = await step(profile)
    return found


def main() -> int:
    """Walk and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="list the files of each walk")
    arguments = parser.parse_args()
    found = asyncio.run(walks(Profile()))
    checks = sum(name in OPTION_CHECKS for _, name in found["POST /solve"])
    lines = [
        "| walk | files before | files now |",
        "| --- | --- | --- |",
        *(f"| {name} | {BEFORE[name]} | {len(files(name, entered))} |" for name, entered in found.items()),
        f"| option checks in one POST /solve | {CHECKS_BEFORE} | {checks} |",
    ]
    page = "# Files entered\n\n`python -m benchmarks.walks`; before: with separate packages, measured in the same way.\n\n"
    (RESULTS / "walks.md").write_text(page + "\n".join(lines) + "\n")
    print("\n".join(lines))
    if arguments.files:
        for name, entered in found.items():
            print("", name, *files(name, entered), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
