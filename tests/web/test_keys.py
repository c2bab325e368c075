"""The key of a server that needs one."""

from playwright.sync_api import BrowserContext, Page, expect
from pydantic import SecretStr

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.web.page import ask, ended, opened

KEY = "a-key-of-the-tests"


def test_the_key_is_asked_for_and_kept_for_the_tab_alone(page: Page, context: BrowserContext) -> None:
    settings = Settings(api_keys={"tests": SecretStr(KEY)})
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), settings)) as client:
        page.goto(str(client.base_url))
        dialog = page.get_by_role("dialog", name="API key")
        expect(dialog).to_contain_text("requires an API key")
        dialog.get_by_role("textbox", name="Key").fill("another-key-of-the-tests")
        dialog.get_by_role("button", name="Use this key").click()
        expect(dialog).to_contain_text("unknown")
        dialog.get_by_role("textbox", name="Key").fill(KEY)
        dialog.get_by_role("textbox", name="Key").press("Enter")
        expect(page.get_by_role("button", name="Search", exact=True)).to_be_enabled()
        ask(page)
        expect(ended(page).locator(".the-answer")).to_have_text("42")
        assert KEY not in page.content()
        assert page.evaluate("localStorage.length + document.cookie.length") == 0
        opened(page, page.url)
        page.get_by_label("Problem").wait_for()
        expect(dialog).to_be_hidden()
        other = context.new_page()
        other.goto(str(client.base_url))
        expect(other.get_by_role("dialog", name="API key")).to_be_visible()
        other.get_by_role("button", name="Cancel").click()
        expect(other.get_by_role("alert").first).to_contain_text("needs an API key")
