"""``epf view``: a stored search as one file, opened from the disk without a server."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from epf.service.app import create_app
from tests.fakes import ScriptedRewardModel
from tests.service.chat.writing import Writer, serving
from tests.web.page import STORY, ask, ended, opened, steps
from tests.web.test_safety import HOSTILE

BODY = {"problem": STORY, "seed": 7, "n_particles": 8, "return_particles": True}
GUARD_S = 60


def epf(*arguments: str | Path, ok: bool = True) -> str:
    """Run a command; what it prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("epf"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout if ok else done.stderr


def shown(page: Page, stored: Path, *arguments: str, state: str = "ended") -> None:
    """Open the page that ``epf view`` writes, with no network at all."""
    out = stored.with_suffix(".html")
    assert epf("view", stored, "--out", out, *arguments).strip() == str(out)
    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(out.as_uri())
    ended(page, state=state)
    assert asked == [out.as_uri()], "one file and nothing else"


def test_a_download_looks_as_it_did(page: Page, context: BrowserContext, embedded: httpx.Client, tmp_path: Path) -> None:
    opened(page, str(embedded.base_url))
    ask(page, STORY, seed=7, particles=8)
    run = ended(page)
    with page.expect_download() as downloading:
        run.get_by_role("button", name="Download").click()
    downloading.value.save_as(tmp_path / "search.json")
    other = context.new_page()
    shown(other, tmp_path / "search.json")
    assert steps(ended(other)) == steps(run)
    assert other.locator(".answers-panel").inner_text() == run.locator(".answers-panel").inner_text()
    expect(other.get_by_text(STORY)).to_be_visible()
    run.locator(".node.dropped").first.click()
    other.locator(".node.dropped").first.click()
    assert other.locator(".detail").inner_text() == run.locator(".detail").inner_text()


def stream(client: httpx.Client) -> str:
    return client.post("/solve", json={**BODY, "stream": True}).text


def result(client: httpx.Client) -> str:
    return client.post("/solve", json=BODY).text


def line(client: httpx.Client) -> str:
    return json.dumps({"row": 1, "problem": STORY, **client.post("/solve", json=BODY).json()}) + "\n"


@pytest.mark.parametrize("saved", [stream, result, line])
def test_what_the_api_returned_is_shown(
    saved: Callable[[httpx.Client], str], page: Page, embedded: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "saved.json").write_text(saved(embedded), encoding="utf-8")
    shown(page, tmp_path / "saved.json")
    run = ended(page)
    whole: dict[str, Any] = embedded.post("/solve", json=BODY).json()
    expect(run.locator(".the-answer")).to_have_text(whole["answer"])
    paths = {tuple(step["text"] for step in particle["steps"][:t]) for particle in whole["particles"] for t in range(1, 6)}
    assert len(steps(run)) >= len(paths)
    run.get_by_role("button", name="Particle 1, step 5, finished").click()
    run.get_by_text("The whole solution").click()
    texts = run.locator(".detail details .text").all_inner_texts()
    assert texts[:4] == [step["text"] for step in whole["particles"][0]["steps"]][:4]


def test_a_search_without_its_end_shows_the_confidence_so_far(page: Page, embedded: httpx.Client, tmp_path: Path) -> None:
    before, _, _ = stream(embedded).rpartition("event: answer")
    found = json.loads(re.findall(r"^data: (.*)$", before, flags=re.MULTILINE)[-1])
    (tmp_path / "cut.json").write_text(before, encoding="utf-8")
    shown(page, tmp_path / "cut.json", state="stopped")
    run = ended(page, state="stopped")
    expect(run.locator(".the-answer")).to_have_text(found["answer"])
    shown_percent = float(run.locator(".confidence strong").inner_text().removesuffix(" %"))
    assert shown_percent == pytest.approx(100 * found["confidence"], abs=0.6)


def test_a_row_of_an_evaluation_is_shown(page: Page, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    epf(
        "eval",
        "--generator",
        "stories",
        "--dataset",
        "synthetic",
        "--limit",
        "2",
        "--methods",
        "epf",
        "--budgets",
        "4",
        "--out",
        runs,
    )
    assert "--row" in epf("view", runs / "results.jsonl", ok=False)
    assert "no row 9" in epf("view", runs / "results.jsonl", "--row", "9", ok=False)
    row = json.loads((runs / "results.jsonl").read_text().splitlines()[1])
    shown(page, runs / "results.jsonl", "--row", "2")
    expect(ended(page).locator(".the-answer")).to_have_text(row["answer"])
    assert steps(ended(page))


def test_formulas_are_rendered_and_nothing_a_model_wrote_runs(page: Page, tmp_path: Path) -> None:
    with serving(
        create_app(Writer((HOSTILE + "\n\n</script><script>document.title='owned'</script>",)), ScriptedRewardModel())
    ) as client:
        found = client.post("/solve", json={"problem": "</title><b>x", "n_particles": 2, "return_particles": True}).json()
    (tmp_path / "hostile.json").write_text(json.dumps({"problem": "</title><b>x", **found}), encoding="utf-8")
    shown(page, tmp_path / "hostile.json")
    run = ended(page)
    run.get_by_role("button", name="Particle 1, step 2").click()
    expect(run.locator(".detail math mfrac").first).to_be_visible()
    assert page.title() == "</title><b>x"
    assert page.locator("main b, main img, main i, main [href]").count() == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"answer": "28"}', "is not a search"),
        ("[1, 2]", "must be a JSON object"),
        ("", "is empty"),
        ('{"type": "step", "particle": 0}', "is not a search"),
        ('{"error": {"message": "x"}}', "failed"),
        ('{"request": null, "events": []}', "started"),
    ],
)
def test_other_files_are_refused_in_words(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(content, encoding="utf-8")
    assert words in epf("view", tmp_path / "other.json", ok=False)
    assert not list(tmp_path.glob("*.html"))


def test_a_result_without_particles_names_what_to_ask_for(embedded: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text(embedded.post("/solve", json={"problem": STORY}).text, encoding="utf-8")
    assert "return_particles" in epf("view", tmp_path / "plain.json", ok=False)
