"""Pictures of the pages in Chromium, and the traces of an example on one: ``python -m benchmarks.page_figures``."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.page import service
from epf.evaluation.report.page import page_data
from epf.evaluation.run import Evaluation, evaluate
from epf.service.app import create_app
from epf.service.searches.models import open_models
from epf.service.settings import Settings
from epf.service.web import files
from epf.service.web.document import report_document

DOCS = Path(__file__).parent.parent / "docs"
OUT = DOCS / "page"
TRACES = DOCS / "entropy" / "traces.jsonl"
FIELDS = ("problem", "steps", "logprobs", "entropies", "scores", "judges", "answer", "correct", "labels")
"""Fields of the traces in the example."""
SEED = 7
PROBLEM = (
    "Eli kept 5 stones in a basket. Then Eli tripled her stones. Eli saw 36 pencils on the way. Then Eli doubled the number of "
    "her stones. She bought 15 rocks for her aunt. Her aunt had half as many as she. How many stones do they have altogether?"
)
KEPT = (
    (PROBLEM, "epf"),
    ("There are 45 birds on a wire. 17 fly away. How many are left?", "best_of_n"),
    ("Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?", "epf"),
    ("Mia has 3 boxes with 8 pencils each. She gives 5 pencils to Ben. How many pencils does she have?", "pf"),
)
"""Problems of the list, each with the method that solves it."""


@contextmanager
def opened(browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """A page in a profile of its own."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    look: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with browser.new_context(**look) as context:
        page = context.new_page()
        page.goto(url)
        yield page


def take(
    browser: Browser, url: str, name: str, *, width: int = 1280, dark: bool = False, methods: tuple[str, ...] = ("epf",)
) -> None:
    """Search for the answer to the problem of README's picture, choose a step that ended, and save what is on the page."""
    with opened(browser, url, width=width, dark=dark) as page:
        page.locator("#go:enabled").wait_for()
        page.locator("#problem").fill(PROBLEM)
        page.locator("#seed").fill(str(SEED))
        for position, method in enumerate(methods):
            if position > 0:
                page.locator("#add-method").click()
            page.locator("#methods select").nth(position).select_option(method)
        page.locator("#go").click()
        for position in range(len(methods)):
            page.locator(".run").nth(position).and_(page.locator("[data-state=ended]")).wait_for()
        page.locator(".node.dropped").first.click()
        page.screenshot(path=OUT / f"{name}.png", full_page=True)


def take_list(browser: Browser, name: str) -> None:
    """Keep some searches, and save their list."""
    with (
        TemporaryDirectory() as folder,
        service(create_app(settings=Settings(store=Path(folder) / "searches.db"))) as url,
        browser.new_context(viewport={"width": 1280, "height": 480}) as context,
    ):
        page = context.new_page()
        page.goto(url)
        page.locator("#go:enabled").wait_for()
        for problem, method in KEPT:
            httpx.post(
                f"{url}/solve", json={"problem": problem, "method": method, "seed": SEED}, timeout=120
            ).raise_for_status()
        page.goto(f"{url}/searches")
        page.locator(".kept-list li").last.wait_for()
        page.screenshot(path=OUT / f"{name}.png", full_page=True)


def take_entropy(browser: Browser, url: str) -> None:
    """Ask which tokens of the traces in docs/entropy open or collapse the policy."""
    with opened(browser, f"{url}/entropy-tools") as page:
        page.locator("#go:enabled").wait_for()
        page.locator("#tool").select_option("tokens")
        page.locator("#picker").set_input_files(TRACES)
        page.locator("#loaded").wait_for()
        page.locator("#go").click()
        page.locator(".drawing img").wait_for()
        page.screenshot(path=OUT / "entropy.png", clip={"x": 0, "y": 0, "width": 1280, "height": 1000}, full_page=True)


def write_report(folder: Path) -> str:
    """Evaluate two methods on ten held-out problems, and write the page of the report: its address."""
    evaluation = Evaluation("synthetic", folder, methods="epf,best_of_n", budgets=(1, 2, 4, 8), seeds=1, limit=10, timed=0)
    asyncio.run(evaluate(evaluation, partial(open_models, Settings())))
    path = folder / "report.html"
    path.write_text(report_document(page_data(folder)), encoding="utf-8")
    return path.as_uri()


def take_report(browser: Browser, url: str) -> None:
    """Choose the first search of the report."""
    with opened(browser, url) as page:
        page.locator(".outcome").first.click()
        page.locator(".run[data-state=ended]").wait_for()
        page.screenshot(path=OUT / "report.png", full_page=True)


def write_example() -> None:
    """The example of traces on the page of the entropy tools: two right and two wrong ones of each problem that has both."""
    of_problem: dict[str, dict[bool, list[dict[str, Any]]]] = {}
    for line in TRACES.read_text(encoding="utf-8").splitlines():
        trace = json.loads(line)
        kept = {name: trace[name] for name in FIELDS}
        of_problem.setdefault(trace["problem"], {True: [], False: []})[trace["correct"]].append(kept)
    both = [found for found in of_problem.values() if min(map(len, found.values())) > 1]
    chosen = [trace for found in both for traces in found.values() for trace in traces[:2]]
    lines = [json.dumps(one, separators=(",", ":")) + "\n" for one in chosen]
    (files.STATIC / "traces.jsonl").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write the example, and take all pictures."""
    write_example()
    OUT.mkdir(exist_ok=True)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        print("Not drawn: the pictures of docs/page.md. There is no Chromium here: make tools installs it.")
        return
    with TemporaryDirectory() as folder:
        report = write_report(Path(folder))
        with service(create_app()) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.getuid() == 0 else [])
            take(browser, url, "search")
            take(browser, url, "compare", methods=("epf", "best_of_n"))
            take(browser, url, "narrow", width=380, dark=True)
            take_list(browser, "searches")
            take_entropy(browser, url)
            take_report(browser, report)
            browser.close()


if __name__ == "__main__":
    main()
