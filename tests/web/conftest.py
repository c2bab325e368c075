"""A browser, a server with scripted models and one with the embedded pair, and a page that must not complain."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.web.page import PATIENCE_MS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)}")
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile, wide and light."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    ) as made:
        made.set_default_timeout(PATIENCE_MS)
        yield made


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab whose scripts raise nothing and violate no policy."""
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    yield tab
    assert complaints == []


@pytest.fixture(scope="session")
def scripted() -> Iterator[str]:
    """Address of a server with scripted models."""
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="session")
def embedded() -> Iterator[httpx.Client]:
    """A client of a server with the pair ``stories``."""
    with serving(create_app(settings=Settings(generator="stories"))) as client:
        yield client


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which tests a page for accessibility."""
    path = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not installed: make test-web installs it where npm is at hand")
    return path.read_text(encoding="utf-8")
