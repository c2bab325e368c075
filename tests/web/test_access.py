"""By keyboard, on a narrow screen, in dark colours, and as axe-core sees it."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.page import PATIENCE_MS, STORY, ask, ended, opened, violations


def test_everything_works_by_keyboard(page: Page, scripted: str) -> None:
    opened(page, scripted)
    page.get_by_label("Problem").focus()
    page.keyboard.type("How many?")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "go":
            break
    page.keyboard.press("Enter")
    run = ended(page)
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.nodes') !== null"):
            break
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("aria-label", "Particle 1, step 1, score 0.80, continued by 1")
    page.keyboard.press("Enter")
    detail = run.get_by_role("group", name="The chosen step")
    expect(detail).to_contain_text("Particle 1, step 1")
    page.keyboard.press("ArrowDown")
    expect(detail).to_contain_text("Particle 2, step 1")
    page.keyboard.press("ArrowRight")
    expect(detail).to_contain_text("step 2")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    expect(detail).to_contain_text("Particle 1, step 1")
    assert run.locator(".nodes > [tabindex='0']").count() == 1, "one stop of the tab key"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_hinders_a_reader(width: int, scheme: str, browser: Browser, scripted: str, axe: str) -> None:
    dark = scheme == "dark"
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light") as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        opened(page, scripted)
        assert violations(page, axe) == []
        page.get_by_role("button", name="+ Compare").click()
        ask(page, STORY, seed=3, particles=8)
        run = ended(page)
        ended(page, "pf")
        run.locator(".nodes > g").nth(9).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, axe) == []
        run.get_by_role("button", name="Code").click()
        assert violations(page, axe) == []
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == dark


def test_a_wide_picture_scrolls_in_its_own_frame(browser: Browser, scripted: str) -> None:
    with browser.new_context(viewport={"width": 380, "height": 800}) as context:
        page = context.new_page()
        opened(page, scripted)
        ask(page, STORY, seed=3, particles=64)
        ended(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
