"""The page of the entropy tools: a question, traces from every source, the answer, and what is wrong where it is wrong."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from epf.entropy.registry import TOOLS
from epf.service.app import create_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.web.page import PATIENCE_MS, ask, ended, opened, violations

TRACES = "".join(
    json.dumps({"steps": ["a"], "scores": [score], "correct": score > 0.5}) + "\n" for score in (0.2, 0.4, 0.7, 0.9)
)
DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector('#file').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def opened_tools(page: Page, url: str) -> None:
    page.goto(f"{url}/entropy-tools")
    expect(page.get_by_role("button", name="Answer")).to_be_enabled(timeout=PATIENCE_MS)


def answered(page: Page) -> str:
    """Ask, and the conclusion."""
    page.get_by_role("button", name="Answer").click()
    answer = page.get_by_role("article", name="Answer")
    expect(answer).to_be_visible(timeout=PATIENCE_MS)
    return answer.get_by_role("heading", level=2).inner_text()


def test_every_tool_answers_its_example(page: Page, scripted: str) -> None:
    opened_tools(page, scripted)
    for name, tool in TOOLS.items():
        page.get_by_label("Question", exact=True).select_option(name)
        page.get_by_role("button", name="Example of arrays").click()
        answer = tool.answer(tool.input(**tool.example))
        assert answered(page) == tool.conclusion(answer)
        article = page.get_by_role("article", name="Answer")
        assert article.get_by_role("heading", level=3).all_inner_texts() == [table.title for table in tool.tables(answer)]
        expect(article.get_by_role("img")).to_be_visible()
        expect(article.get_by_role("img")).not_to_have_js_property("naturalWidth", 0)


def test_every_tool_that_reads_traces_answers_the_example_of_traces(page: Page, scripted: str) -> None:
    opened_tools(page, scripted)
    for name, tool in TOOLS.items():
        page.get_by_label("Question", exact=True).select_option(name)
        example = page.get_by_role("button", name="Example of traces")
        if tool.from_traces is None:
            expect(example).to_be_hidden()
            continue
        page.get_by_label("Traces or arrays").fill("")
        example.click()
        expect(page.get_by_label("Traces or arrays")).to_have_value(re.compile("steps"))
        if name == "ranking":
            page.get_by_text("Options", exact=True).click()
            page.get_by_role("button", name="Answer").click()
            expect(page.locator("#file-error, #option-teacher-error").filter(has_text="teacher")).to_be_visible()
            page.get_by_label("teacher", exact=True).fill("right_steps")
        assert answered(page).endswith(".")


def test_traces_are_pasted_dropped_and_opened(page: Page, scripted: str, tmp_path: Path) -> None:
    opened_tools(page, scripted)
    page.get_by_label("Question", exact=True).select_option("reconstruction")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("use", exact=True).fill("last_score")
    page.get_by_label("bins", exact=True).fill("2")
    page.get_by_label("unit", exact=True).select_option("bits")
    page.get_by_label("Traces or arrays").fill(TRACES)
    pasted = answered(page)
    assert pasted == "The columns determine `correct`; what is enough: last_score."
    expect(page.get_by_text("H(target), bits")).to_be_visible()
    page.evaluate(DROP, ["dropped.jsonl", TRACES])
    expect(page.get_by_text("dropped.jsonl, 1 KiB")).to_be_visible()
    assert answered(page) == pasted
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_label("Traces or arrays")).to_be_focused()
    (tmp_path / "opened.jsonl").write_text(TRACES, encoding="utf-8")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Open a file").click()
    choosing.value.set_files(tmp_path / "opened.jsonl")
    expect(page.get_by_text("opened.jsonl, 1 KiB")).to_be_visible()
    assert answered(page) == pasted


def test_errors_are_shown_where_they_are(page: Page, scripted: str) -> None:
    opened_tools(page, scripted)
    page.get_by_label("Question", exact=True).select_option("ranking")
    page.get_by_label("Traces or arrays").fill('{"steps": [}')
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#file-error")).to_contain_text("not valid JSON")
    expect(page.get_by_label("Traces or arrays")).to_be_focused()
    expect(page.get_by_label("Traces or arrays")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Example of arrays").click()
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("tau", exact=True).fill("-1")
    page.get_by_text("Options", exact=True).click()
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#option-tau-error")).to_contain_text("must be at least 0.001")
    expect(page.get_by_label("tau", exact=True)).to_be_focused()
    expect(page.locator("#file-error")).to_be_empty()
    page.get_by_label("tau", exact=True).fill("")
    assert "best candidate first" in answered(page)


def test_a_search_is_handed_over_and_read_from_its_download(page: Page, embedded: httpx.Client, tmp_path: Path) -> None:
    opened(page, str(embedded.base_url))
    ask(page, seed=1, particles=4)
    run = ended(page)
    with page.expect_download() as downloading:
        run.get_by_role("button", name="Download").click()
    downloading.value.save_as(tmp_path / "search.json")
    run.get_by_role("button", name="Entropy").click()
    expect(page.get_by_text("the search, ")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_label("Question", exact=True).select_option("features")
    handed = answered(page)
    page.evaluate(DROP, ["search.json", (tmp_path / "search.json").read_text(encoding="utf-8")])
    expect(page.get_by_text("search.json, ")).to_be_visible()
    assert answered(page) == handed
    page.reload()
    expect(page.get_by_label("Traces or arrays")).to_be_visible()


def test_a_key_is_asked_for(page: Page) -> None:
    settings = Settings(api_keys={"tests": SecretStr("a-key-of-the-tests")})
    with serving(create_app(ScriptedGenerator(), ScriptedRewardModel(), settings)) as client:
        page.goto(f"{client.base_url}/entropy-tools")
        page.get_by_role("textbox", name="Key").fill("a-key-of-the-tests")
        page.get_by_role("textbox", name="Key").press("Enter")
        page.get_by_role("button", name="Example of arrays").click()
        assert answered(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_hinders_a_reader(width: int, scheme: str, browser: Browser, scripted: str, axe: str) -> None:
    dark = scheme == "dark"
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light") as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        opened_tools(page, scripted)
        page.get_by_label("Question", exact=True).select_option("maxent")
        page.get_by_text("Options", exact=True).click()
        assert violations(page, axe) == []
        page.get_by_label("Question", exact=True).focus()
        for _ in range(3):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "example":
                break
        page.keyboard.press("Enter")
        assert "entropy" in answered(page)
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
