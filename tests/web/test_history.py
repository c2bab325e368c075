"""Kept searches in the browser: their list, their permanent addresses, and what can be done with them."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import Writer, serving
from tests.service.test_drain import started
from tests.web.page import PATIENCE_MS, STORY, ask, ended, opened, steps, violations
from tests.web.test_handing_on import RUN
from tests.web.test_safety import HOSTILE

KEY = "a-key-of-the-tests"
PROBLEM = "There are 40 birds on a wire. 2 more come. How many are there?"


@contextmanager
def keeping(path: Path, n: int = 0, **settings: object) -> Iterator[httpx.Client]:
    """A server that keeps its searches, with ``n`` of them."""
    made = Settings.model_validate({"store": path / "searches.db", **settings})
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), made)) as client:
        for i in range(n):
            body = {"problem": f"Problem {i}: {PROBLEM}", "n_particles": 2, "method": "pf" if i % 2 else "epf", "seed": i}
            client.post("/solve", json=body).raise_for_status()
        yield client


def test_a_search_is_at_its_permanent_address_after_a_restart(page: Page, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = str(tmp_path / "searches.db")
    with started(EPF_STORE=path, EPF_PORT=str(port)) as server:
        opened(page, server.url)
        ask(page, STORY, seed=7, particles=4)
        run = ended(page)
        drawn, answers = steps(run), run.locator(".answers-panel").inner_text()
        run.get_by_role("link", name="Permanent address").click()
        expect(page).to_have_url(re.compile("/searches/[0-9a-f]{32}$"))
        address = page.url
        server.signal()
        assert server.ended()[0] == 0
    with started(EPF_STORE=path, EPF_PORT=str(port)):
        page.goto(address)
        run = ended(page)
        expect(page.get_by_text(STORY)).to_be_visible()
        assert steps(run) == drawn
        assert run.locator(".answers-panel").inner_text() == answers
        assert page.title().startswith(STORY[:40])


def test_the_list_is_filtered_and_leads_to_a_search(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path, 23) as client:
        opened(page, str(client.base_url))
        page.get_by_role("link", name="Searches").click()
        rows = page.get_by_role("listitem")
        expect(rows).to_have_count(20)
        expect(page.get_by_role("status")).to_have_text("20 searches, and older ones")
        page.get_by_role("button", name="Show older searches").click()
        expect(rows).to_have_count(23)
        expect(page.get_by_role("link", name="Problem 2:")).to_be_focused()
        page.get_by_label("Problem or answer contains").fill("Problem 1")
        page.get_by_label("Method").select_option("pf")
        page.get_by_role("button", name="Filter").click()
        expect(rows).to_have_count(6)
        page.reload()
        expect(rows).to_have_count(6)
        expect(page.get_by_label("Method")).to_have_value("pf")
        page.get_by_label("To").fill("2001-01-01")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("No search matches")
        page.get_by_label("To").fill("")
        page.get_by_label("From").fill("2001-01-01")
        page.keyboard.press("Enter")
        expect(rows).to_have_count(6)
        page.get_by_role("link", name="Problem 17:").click()
        expect(ended(page, "pf").locator(".the-answer")).to_have_text("42")
        page.get_by_role("link", name="Searches").click()
        expect(rows).to_have_count(20)


def test_a_search_is_deleted_by_keyboard_and_only_when_confirmed(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path, 3) as client:
        page.goto(f"{client.base_url}/searches")
        delete = page.get_by_role("button", name="Delete: Problem 1:")
        dialog = page.get_by_role("dialog", name="Delete this search?")
        delete.focus()
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("Problem 1:")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(delete).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("listitem")).to_have_count(2)
        expect(page.get_by_role("status")).to_have_text("2 searches")
        expect(page.get_by_role("button", name="Delete: Problem 0:")).to_be_focused()
        assert len(client.get("/searches").json()["searches"]) == 2


def test_a_search_is_deleted_at_its_address(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path, 1) as client:
        (one,) = client.get("/searches").json()["searches"]
        page.goto(f"{client.base_url}/searches/{one['id']}")
        ended(page).get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page).to_have_url(re.compile("/searches$"))
        expect(page.get_by_role("status")).to_have_text("No search is kept yet")
        page.goto(f"{client.base_url}/searches/{one['id']}")
        expect(page.get_by_role("alert").first).to_contain_text("it may have been deleted")


def test_downloads_are_those_of_the_api(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path, 3) as client:
        page.goto(f"{client.base_url}/searches?method=epf")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download as JSON Lines").click()
        assert downloading.value.suggested_filename == "searches.jsonl"
        assert downloading.value.path().read_text("utf-8") == client.get("/searches/export?method=epf").text
        page.get_by_role("link", name="Problem 2:").click()
        with page.expect_download() as downloading:
            ended(page).get_by_role("button", name="Download").click()
        assert downloading.value.suggested_filename == "search-epf-2.json"
        whole = json.loads(downloading.value.path().read_text("utf-8"))
        assert whole == client.get(f"/searches/{whole['id']}").json()


def test_the_code_of_a_kept_search_repeats_it(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path) as client:
        body = {"problem": PROBLEM, "n_particles": 2, "seed": 3, "stop": ["x"], "logprobs": True}
        answer = client.post("/solve", json=body).json()["answer"]
        (one,) = client.get("/searches").json()["searches"]
        page.goto(f"{client.base_url}/searches/{one['id']}")
        ended(page).get_by_role("button", name="Code").click()
        for name, command in RUN.items():
            page.get_by_role("button", name=f"Copy as {name}").click()
            page.get_by_role("button", name=f"Copy as {name}").get_by_text("Copied").wait_for()
            code = page.evaluate("navigator.clipboard.readText()")
            done = subprocess.run([*command, code], capture_output=True, text=True, check=False, timeout=60, env=os.environ)
            assert done.returncode == 0, done.stderr
            assert (json.loads(done.stdout)["answer"] if name == "curl" else done.stdout.split()[0]) == answer


def test_the_key_is_asked_for_at_a_permanent_address(page: Page, tmp_path: Path) -> None:
    with keeping(tmp_path, api_keys={"tests": SecretStr(KEY)}) as client:
        headers = {"authorization": f"Bearer {KEY}"}
        client.post("/solve", json={"problem": PROBLEM, "n_particles": 2}, headers=headers).raise_for_status()
        (one,) = client.get("/searches", headers=headers).json()["searches"]
        page.goto(f"{client.base_url}/searches/{one['id']}")
        dialog = page.get_by_role("dialog", name="API key")
        dialog.get_by_role("textbox", name="Key").fill(KEY)
        dialog.get_by_role("textbox", name="Key").press("Enter")
        expect(ended(page).locator(".the-answer")).to_have_text("42")
        page.get_by_role("link", name="Searches").click()
        expect(page.get_by_role("listitem")).to_have_count(1)


def test_a_server_that_keeps_none_says_how_to_keep_them(page: Page, scripted: str) -> None:
    opened(page, scripted)
    expect(page.get_by_role("link", name="Searches")).to_be_hidden()
    ask(page, particles=2)
    expect(ended(page).get_by_role("link", name="Permanent address")).to_have_count(0)
    page.goto(f"{scripted}/searches")
    expect(page.get_by_role("alert").first).to_contain_text("EPF_STORE")


def test_what_models_and_callers_wrote_stays_text(page: Page, tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "searches.db")
    with serving(create_app(Writer((HOSTILE,)), ScriptedRewardModel(), settings)) as client:
        client.post("/solve", json={"problem": "<b>How</b> many?</script>", "n_particles": 2}).raise_for_status()
        page.goto(f"{client.base_url}/searches")
        page.get_by_role("link", name="<b>How</b> many?").click()
        run = ended(page)
        run.get_by_role("button", name="Particle 1, step 2").click()
        expect(run.locator(".detail math mfrac").first).to_be_visible()
        assert page.locator("main [href], main [onerror], main img, main script, main b, main i").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_hinders_a_reader(width: int, scheme: str, browser: Browser, axe: str, tmp_path: Path) -> None:
    dark = scheme == "dark"
    with (
        keeping(tmp_path, 22) as client,
        browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light") as context,
    ):
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(f"{client.base_url}/searches")
        expect(page.get_by_role("listitem")).to_have_count(20)
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Delete: Problem 21:").click()
        assert violations(page, axe) == []
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Problem 20:").click()
        ended(page)
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        opened(page, str(client.base_url))
        page.get_by_role("button", name="+ Compare").click()
        ask(page, particles=2)
        expect(page.get_by_role("link", name="Permanent address")).to_have_count(2)
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
