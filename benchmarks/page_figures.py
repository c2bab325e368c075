"""The pictures of docs/page.md, taken of the page in Chromium: ``python -m benchmarks.page_figures``."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, sync_playwright

from benchmarks.page import service
from benchmarks.picture import PROBLEM
from epf.service.app import create_app
from epf.service.settings import Settings

OUT = Path(__file__).parent.parent / "docs" / "page"
SEED = 7
KEPT = (
    (PROBLEM, "epf"),
    ("There are 45 birds on a wire. 17 fly away. How many are left?", "best_of_n"),
    ("Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?", "epf"),
    ("Mia has 3 boxes with 8 pencils each. She gives 5 pencils to Ben. How many pencils does she have?", "pf"),
)
"""Problems of the list, each with the method that solves it."""


def take(
    browser: Browser, url: str, name: str, *, width: int = 1280, dark: bool = False, methods: tuple[str, ...] = ("epf",)
) -> None:
    """Search for the answer to the problem of README's picture, choose a step that ended, and save what is on the page."""
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    look: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with browser.new_context(**look) as context:
        page = context.new_page()
        page.goto(url)
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
        tempfile.TemporaryDirectory() as folder,
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


def main() -> None:
    """Take all pictures."""
    OUT.mkdir(exist_ok=True)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        print("Not drawn: the pictures of docs/page.md. There is no Chromium here: make tools installs it.")
        return
    with service(create_app()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.getuid() == 0 else [])
        take(browser, url, "search")
        take(browser, url, "compare", methods=("epf", "best_of_n"))
        take(browser, url, "narrow", width=380, dark=True)
        take_list(browser, "searches")
        browser.close()


if __name__ == "__main__":
    main()
