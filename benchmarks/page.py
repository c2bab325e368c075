"""How fast the page draws a search, and whether it lets its reader type meanwhile: ``python -m benchmarks.page``.

A search of 64 particles and 40 steps, by a generator and a reward model that compute nothing, is drawn in Chromium in two ways.
A stored one, from opening the file to the frame in which all of it is visible, next to a search of one particle and one step,
which is the floor. And a live one at 50 events a second from its step 30 on, while keys are typed into the problem, next to the
same typing without a search: the browser's own times from a key press to the frame that shows it (Event Timing), the longest
time between two frames, and how many typed characters arrived. Results go to ``benchmarks/results/page.json`` and ``.md``.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.output import RESULTS, save
from epf.core.generator import Message, Sampling, Step
from epf.core.reward_model import Score
from epf.evaluation.report.text import table
from epf.service.app import create_app
from epf.service.server import listen
from epf.service.settings import Settings
from epf.service.web.document import document

PARTICLES, STEPS = 64, 40
PACED_FROM = 30
EVENTS_PER_S = 50
N_KEYS = 150
KEY_MS = 50
PROBLEM = "How many?"
WIDTH, HEIGHT = 1280, 900

DRAWN = """new MutationObserver((_, observer) => {
  if (document.querySelector('.run[data-state=ended]') === null) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.drawnAt = performance.now(); }));
}).observe(document, {subtree: true, childList: true, attributes: true});"""
"""Notes the time of the frame after the one in which a search has ended, in milliseconds since the page was opened."""

WATCH = """() => {
  window.keys = []; window.gaps = []; let before = performance.now();
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.name === 'keydown') window.keys.push(entry.duration);
  }).observe({type: 'event', durationThreshold: 16});
  const frame = (now) => { window.gaps.push(now - before); before = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


class PacedGenerator:
    """Writes ``STEPS`` short steps. From step ``PACED_FROM`` on, all particles together write at the pace of the events."""

    name = "paced"
    context_length = 4096

    def __init__(self, *, n_steps: int = STEPS, paced: bool = False) -> None:
        self._n_steps = n_steps
        self._paced = paced
        self._next_s = 0.0

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """One token for each prompt."""
        return (1000,)

    def token_bytes(self, token_id: int) -> bytes:
        """Every token is a letter."""
        return b"x"

    async def step(self, prefix_ids: tuple[int, ...], sampling: Sampling, seed: int) -> Step:
        """Write the next step, in its turn."""
        t = len(prefix_ids)
        if self._paced and t >= PACED_FROM:
            self._next_s = max(self._next_s, time.monotonic()) + 2 / EVENTS_PER_S  # a step and its score are two events
            await asyncio.sleep(self._next_s - time.monotonic())
        if t < self._n_steps:
            return Step((t,), f"Step {t}: {seed % 97} + {t} = {seed % 97 + t}.", "separator", (-0.1,))
        return Step((t,), f"The answer is \\boxed{{{seed % 3}}}.", "eos", (-0.1,))

    async def ready(self) -> None:
        """Always ready."""

    async def aclose(self) -> None:
        """Nothing to close."""


class SpreadScores:
    """Scores between 0.05 and 0.95 that depend on the text."""

    name = "spread"

    async def score(self, problem: str, steps: Sequence[str]) -> Score:
        """Score the newest step."""
        return Score(0.05 + 0.9 * (sum(map(ord, steps[-1])) % 31) / 30, 1)

    async def ready(self) -> None:
        """Always ready."""

    async def aclose(self) -> None:
        """Nothing to close."""


@contextmanager
def served(generator: PacedGenerator) -> Iterator[str]:
    """Address of a service with this generator."""
    with service(create_app(generator, SpreadScores(), Settings(max_steps=STEPS, max_seconds=600))) as url:
        yield url


@contextmanager
def service(app: FastAPI) -> Iterator[str]:
    """Address of an application in a thread."""
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="on", access_log=False, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def stored(n_particles: int, n_steps: int) -> str:
    """The page of a search that is over."""
    body = {"problem": PROBLEM, "n_particles": n_particles, "seed": 1, "stream": True, "return_particles": True}
    with served(PacedGenerator(n_steps=n_steps)) as url:
        text = httpx.post(f"{url}/solve", json=body, timeout=120).text
    events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    return document({"request": {"problem": PROBLEM}, "events": events})


def drawn_ms(browser: Browser, path: Path) -> tuple[float, int]:
    """Milliseconds from opening the file to the visible search, and its number of steps in the picture."""
    with browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True) as context:
        page = context.new_page()
        page.add_init_script(DRAWN)
        page.goto(path.as_uri())
        page.wait_for_function("window.drawnAt !== undefined")
        return page.evaluate("window.drawnAt"), page.locator(".nodes > g").count()


def typed(page: Page) -> dict[str, float]:
    """Type into the problem, and read what the browser measured."""
    page.locator("#problem").fill("")
    page.evaluate("() => { window.keys.length = 0; window.gaps.length = 0; }")
    page.locator("#problem").press_sequentially("x" * N_KEYS, delay=KEY_MS)
    keys, gaps = page.evaluate("[window.keys, window.gaps]")
    late = sorted([0.0] * (N_KEYS - len(keys)) + keys)  # shorter ones than 16 ms are not reported
    return {
        "arrived": len(page.locator("#problem").input_value()),
        "key_p95_ms": late[int(0.95 * (len(late) - 1))],
        "key_max_ms": late[-1],
        "frame_max_ms": max(gaps),
    }


def live(browser: Browser) -> dict[str, Any]:
    """Typing without a search and during one."""
    with (
        served(PacedGenerator(paced=True)) as url,
        browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True) as context,
    ):
        page = context.new_page()
        page.goto(url)
        page.locator("#go:enabled").wait_for()
        page.evaluate(WATCH)
        without = typed(page)
        page.locator("#problem").fill(PROBLEM)
        page.locator("#particles").fill(str(PARTICLES))
        page.locator("#go").click()
        page.wait_for_function(f"document.querySelectorAll('.nodes > g').length > {PARTICLES * PACED_FROM}", timeout=60_000)
        before = page.locator(".nodes > g").count()
        start = time.monotonic()
        during = typed(page)
        steps_per_s = (page.locator(".nodes > g").count() - before) / (time.monotonic() - start)
        page.get_by_role("button", name="Stop").click()
        return {"without": without, "during": during, "events_per_s": 2 * steps_per_s}


def written(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    floor, whole = found["drawn"]["1 x 1"], found["drawn"][f"{PARTICLES} x {STEPS}"]
    without, during = found["live"]["without"], found["live"]["during"]
    drawing = table(
        ("particles x steps", "steps drawn", "milliseconds from opening the file", "of the floor"),
        [
            ("1 x 1", str(floor["steps"]), f"{floor['ms']:.0f}", "1.0"),
            (f"{PARTICLES} x {STEPS}", str(whole["steps"]), f"{whole['ms']:.0f}", f"{whole['ms'] / floor['ms']:.1f}"),
        ],
    )
    typing = table(
        ("typing", "characters that arrived", "key to frame, p95 ms", "key to frame, max ms", "longest frame, ms"),
        [
            (
                name,
                f"{row['arrived']} of {N_KEYS}",
                f"{row['key_p95_ms']:.0f}",
                f"{row['key_max_ms']:.0f}",
                f"{row['frame_max_ms']:.0f}",
            )
            for name, row in (("without a search", without), ("during a search", during))
        ],
    )
    return (
        "# The page\n\nBy `python -m benchmarks.page`: how it is measured stands in its docstring. The medians of "
        f"{found['repeats']} openings. 0 ms stands for less than 16 ms, which the browser does not report.\n\n{drawing}\n\n"
        f"{PARTICLES} particles from step {PACED_FROM} on, {found['live']['events_per_s']:.0f} events a second:\n\n{typing}\n"
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure how fast the page draws.")
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))))
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    found: dict[str, Any] = {"repeats": repeats, "drawn": {}}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=arguments)
        paths = {}
        for n_particles, n_steps in ((1, 1), (PARTICLES, STEPS)):
            name = f"{n_particles} x {n_steps}"
            paths[name] = Path(folder) / f"{n_particles}.html"
            paths[name].write_text(stored(n_particles, n_steps), encoding="utf-8")
        times: dict[str, list[tuple[float, int]]] = {name: [] for name in paths}
        for _ in range(repeats):
            for name, path in paths.items():
                times[name].append(drawn_ms(browser, path))
        for name, each in times.items():
            found["drawn"][name] = {"ms": median(ms for ms, _ in each), "all_ms": [ms for ms, _ in each], "steps": each[0][1]}
        found["live"] = live(browser)
        browser.close()
    save(RESULTS / "page", found, written(found))


if __name__ == "__main__":
    main()
