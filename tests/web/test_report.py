"""``epf view RUN``: the report of an evaluation as one file, opened from the disk without a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from epf.evaluation.report.page import page_data
from tests.web.page import PATIENCE_MS, ended, violations
from tests.web.test_view import GUARD_S, epf

METHODS = ("epf", "best_of_n")
N_PROBLEMS = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its page next to it."""
    directory = tmp_path_factory.mktemp("report") / "run"
    asked = (
        "--generator",
        "stories",
        "--dataset",
        "synthetic",
        "--limit",
        str(N_PROBLEMS),
        "--seeds",
        "2",
        "--methods",
        ",".join(METHODS),
        "--budgets",
        "1,4",
    )
    epf("eval", *asked, "--timed", "0", "--out", directory)
    epf("view", directory, "--out", directory / "report.html")
    return directory


def shown(page: Page, run: Path) -> dict[str, Any]:
    """Open the page with no network at all, and the data that it shows."""
    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (run / "report.html").as_uri()
    page.goto(address)
    expect(page.locator(".curve-chart")).to_be_visible()
    assert asked == [address], "one file and nothing else"
    found: dict[str, Any] = json.loads(json.dumps(page_data(run)))
    return found


def cell(page: Page, problem: str, method: str) -> Locator:
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=problem, exact=True))
    return row.get_by_role("button", name=f"{method}: ", exact=False)


def test_the_curves_and_the_table_have_the_report_s_numbers(page: Page, run: Path) -> None:
    data = shown(page, run)
    titles = page.locator(".curve-chart title").all_text_contents()
    page.get_by_text("The same numbers as a table").click()
    table = page.get_by_role("group", name="Accuracies").get_by_role("row").all_inner_texts()
    assert len(titles) == len(data["cells"]) == len(table) - 1
    written = (run / "report.md").read_text(encoding="utf-8")
    for line in table[1:]:
        method, budget, accuracy, *_ = cells = line.split("\t")
        assert f"| {' | '.join(cells)} |" in written
        assert f"{method} at {budget}: {accuracy} %" in titles
    for section in data["sections"]:
        page.get_by_text(section["title"], exact=True).click()
        lines = page.get_by_role("group", name=section["title"], exact=True).get_by_role("row").all_inner_texts()
        assert [line.split("\t") for line in lines[1:]] == [[str(cell) for cell in row] for row in section["rows"]]
    assert {"At the same budget", "Confidence"} <= {section["title"] for section in data["sections"]}
    page.get_by_label("epf", exact=True).uncheck()
    expect(page.locator(".curve-chart title")).to_have_count(2)


def test_two_methods_are_compared_as_the_run_computed_it(page: Page, run: Path) -> None:
    data = shown(page, run)
    for pair in data["pairs"]:
        page.get_by_label("Particles", exact=True).select_option(str(pair["budget"]))
        page.get_by_label("First method").select_option(pair["b"])
        page.get_by_label("Second method").select_option(pair["a"])
        shown_pair = page.locator(".pairing")
        expect(shown_pair).to_contain_text(f"less often on {pair['n_worse']}, and equally often on {pair['n_equal']}")
        expect(shown_pair).to_contain_text(
            f"{pair['b']} minus {pair['a']} in points, with the 95 % interval: {pair['written']}"
        )
        page.get_by_label("Show").select_option("disagree")
        expect(page.locator(".matrix tbody tr")).to_have_count(pair["n_better"] + pair["n_worse"])
        page.get_by_label("Show").select_option("all")
        expect(page.locator(".matrix tbody tr")).to_have_count(N_PROBLEMS)
    page.get_by_label("First method").select_option("epf")
    page.get_by_label("Second method").select_option("epf")
    expect(page.get_by_text("Choose two different methods")).to_be_visible()


def test_a_cell_opens_its_search(page: Page, run: Path) -> None:
    data = shown(page, run)
    problem = data["problems"][0]
    cell(page, problem["id"], "epf").click()
    section = page.get_by_role("region", name="The chosen search")
    expect(section.get_by_role("heading", name=f"{problem['id']}: epf at 4")).to_be_focused()
    expect(section).to_contain_text(problem["text"])
    expect(ended(page).locator(".node").first).to_be_visible()
    searches = [dict(zip(data["searches"], one, strict=True)) for one in zip(*data["searches"].values(), strict=True)]
    chosen = next(i for i, column in enumerate(data["columns"]) if (column["method"], column["budget"]) == ("epf", 4))
    second = next(one for one in searches if (one["problem"], one["column"], one["seed"]) == (0, chosen, 1))
    section.get_by_role("button", name="Seed 1").click()
    expect(ended(page).locator(".the-answer")).to_have_text(second["answer"])


def test_a_search_without_scores_names_the_command_that_records_it(page: Page, run: Path, tmp_path: Path) -> None:
    data = shown(page, run)
    cell(page, data["problems"][0]["id"], "best_of_n").click()
    section = page.get_by_role("region", name="The chosen search")
    expect(section).to_contain_text("nothing to draw")
    answer = section.get_by_role("button", name="Seed 0").inner_text().removeprefix("Seed 0: ").split(",")[0]
    command = section.locator("pre").inner_text().splitlines()[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))["answer"] == answer


def test_the_outcomes_work_by_keyboard(page: Page, run: Path) -> None:
    data = shown(page, run)
    page.get_by_label("Show").focus()
    page.keyboard.press("Tab")
    first = data["problems"][0]["id"], data["problems"][1]["id"]
    expect(cell(page, first[0], "epf")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(cell(page, first[0], "best_of_n")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(cell(page, first[1], "best_of_n")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(cell(page, first[0], "best_of_n")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"{first[0]}: best_of_n at 4")).to_be_focused()
    assert page.locator(".matrix [tabindex='0']").count() == 1, "one stop of the tab key"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_nothing_hinders_a_reader(width: int, scheme: str, browser: Browser, run: Path, axe: str) -> None:
    dark = scheme == "dark"
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light") as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        data = shown(page, run)
        page.get_by_text("The same numbers as a table").click()
        assert violations(page, axe) == []
        cell(page, data["problems"][0]["id"], "epf").click()
        ended(page).locator(".node").first.click()
        assert violations(page, axe) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_row_of_a_run_is_shown_by_its_number(run: Path, tmp_path: Path) -> None:
    epf("view", run, "--row", "1", "--out", tmp_path / "row.html")
    assert "a stored search" in (tmp_path / "row.html").read_text(encoding="utf-8")
    assert "does not hold a run" in epf("view", tmp_path, ok=False)
