"""A search leaves the page: as a file, and as code that runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.web.page import ask, ended, opened

AWKWARD = "It's \"5\" $HOME `x` \\n {a} ü 🐦!\nHow many\t're left?"
KEY = "a-key-of-the-tests"
RUN = {"curl": ["bash", "-c"], "Python": [sys.executable, "-c"], "OpenAI client": [sys.executable, "-c"]}


@pytest.mark.parametrize("keyed", [False, True])
def test_the_code_asks_the_same(keyed: bool, page: Page) -> None:
    asked: list[tuple[str, ...]] = []

    class Remembering(ScriptedGenerator):
        def prompt_ids(self, messages):  # type: ignore[no-untyped-def]
            asked.append(tuple(message.content for message in messages))
            return super().prompt_ids(messages)

    settings = Settings(api_keys={"tests": SecretStr(KEY)} if keyed else {})
    with serving(create_app(Remembering(), ScriptedRewardModel(), settings)) as client:
        page.goto(str(client.base_url))
        if keyed:
            page.get_by_role("textbox", name="Key").fill(KEY)
            page.get_by_role("textbox", name="Key").press("Enter")
        opened_page(page)
        page.get_by_label("Look-ahead").select_option("reuse")
        ask(page, AWKWARD, seed=5, particles=3)
        run = ended(page)
        answer = run.locator(".the-answer").inner_text()
        run.get_by_role("button", name="Code").click()
        for name, command in RUN.items():
            page.get_by_role("button", name=f"Copy as {name}").click()
            page.get_by_role("button", name=f"Copy as {name}").get_by_text("Copied").wait_for()
            code = page.evaluate("navigator.clipboard.readText()")
            assert KEY not in code
            done = subprocess.run(
                [*command, code], capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "EPF_KEY": KEY}
            )
            assert done.returncode == 0, done.stderr
            got = json.loads(done.stdout)["answer"] if name == "curl" else done.stdout.split()[0]
            assert got == answer
        assert len(asked) >= 4
        assert {messages[-1] for messages in asked} == {AWKWARD}


def opened_page(page: Page) -> None:
    """Wait until the open page can ask."""
    page.locator("#go:enabled").wait_for()


def test_the_file_has_the_whole_search(page: Page, embedded: httpx.Client, tmp_path: Path) -> None:
    opened(page, str(embedded.base_url))
    ask(page, seed=1, particles=4)
    run = ended(page)
    with page.expect_download() as downloading:
        run.get_by_role("button", name="Download").click()
    assert downloading.value.suggested_filename == "search-epf-1.json"
    downloading.value.save_as(tmp_path / "search.json")
    stored = json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))
    assert stored["request"]["seed"] == 1
    assert stored["events"][0]["type"] == "started"
    assert stored["events"][-1]["result"]["answer"] == run.locator(".the-answer").inner_text()
