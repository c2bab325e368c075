"""Ask, watch to the end, look at a step, stop, run again, compare."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from epf.core.errors import GeneratorError
from epf.search.methods import METHODS
from epf.service.app import create_app
from tests.fakes import N_STEPS, ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving
from tests.web.page import BIRDS, PATIENCE_MS, STORY, ask, ended, opened, steps


def test_a_search_is_watched_to_its_end(page: Page, embedded: httpx.Client) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    url = str(embedded.base_url)
    opened(page, url)
    ask(page, STORY, seed=7, particles=8)
    run = ended(page)
    plain = embedded.post("/solve", json={"problem": STORY, "seed": 7, "n_particles": 8}).json()
    expect(run.locator(".the-answer")).to_have_text(plain["answer"])
    expect(run.get_by_role("img", name="Confidence")).to_be_visible()
    assert f"seed {plain['seed']}" in run.inner_text()
    assert len(steps(run)) == 8 * len(plain["steps"])
    assert any("dropped" in name for name in steps(run))
    assert sum("finished" in name for name in steps(run)) >= 8
    assert all(request.startswith(url) for request in asked)


def test_a_step_shows_why_it_ended_or_went_on(page: Page, embedded: httpx.Client) -> None:
    opened(page, str(embedded.base_url))
    ask(page, STORY, seed=7, particles=8)
    run = ended(page)
    run.locator(".node.dropped").first.click()
    detail = run.get_by_role("group", name="The chosen step")
    expect(detail).to_contain_text("Ended here")
    expect(detail).to_contain_text("It was never drawn")
    expect(detail).to_contain_text("Probability in one draw")
    run.get_by_role("button", name=re.compile(r"step 3, .*continued by [2-9]")).first.click()
    expect(detail.locator(".tokens")).to_have_text("30 / 2 = 15.")
    expect(detail).to_contain_text(re.compile(r"Log probability-\d"))
    expect(detail).to_contain_text("Went on")
    expect(detail).to_contain_text(
        re.compile(r"annealing at temperature 2\.\d.*It was drawn \d times\. Particles [\d, and]+ continue it")
    )


def test_few_elements_draw_many_lines_of_descent(page: Page, embedded: httpx.Client) -> None:
    opened(page, str(embedded.base_url))
    ask(page, STORY, seed=7, particles=8)
    run = ended(page)
    columns = 1 + max(int(column) for name in steps(run) for column in re.findall(r"step (\d+)", name))
    assert run.locator(".edge").count() < 2 * columns
    assert run.locator(".nodes [transform]").count() == 0, "each would be a piece of its own to paint"
    lines = run.locator(".edge").evaluate_all("all => all.map(each => each.getAttribute('d') ?? '').join('')")
    assert lines.count("M") == sum("step 1," not in name for name in steps(run))
    for chosen in (5, 2, 1):
        run.get_by_role("button", name=re.compile(f"step {chosen}, ")).first.click()
        assert (run.locator(".edge.on-path").get_attribute("d") or "").count("M") == chosen - 1


@pytest.mark.parametrize(
    ("method", "step", "words"),
    [
        ("beam", ".node.dropped", "keeps the best only"),
        ("epf_pool", ".node.dropped", "The draw was from these steps and from earlier ones"),
        ("adaptive", ".node", "Went on"),
        ("best_of_n", ".node", "Went on"),
    ],
)
def test_the_reason_is_that_of_the_method(method: str, step: str, words: str, page: Page, embedded: httpx.Client) -> None:
    opened(page, str(embedded.base_url))
    page.get_by_label("Method", exact=True).select_option(method)
    ask(page, STORY, seed=7, particles=8)
    run = ended(page, method)
    run.locator(step).first.click()
    expect(run.get_by_role("group", name="The chosen step")).to_contain_text(words)


def test_the_same_seed_gives_the_same_search_again(page: Page, embedded: httpx.Client) -> None:
    opened(page, str(embedded.base_url))
    ask(page, STORY, seed=None, particles=4)
    first = ended(page)
    seed, before = re.findall(r"seed (\d+)", first.inner_text()), steps(first)
    with page.expect_request("**/solve"):
        first.get_by_role("button", name="Run again").click()
    again = ended(page)
    assert (re.findall(r"seed (\d+)", again.inner_text()), steps(again)) == (seed, before)


def test_a_search_is_stopped_here_and_on_the_server(page: Page) -> None:
    generator = ScriptedGenerator(hold=True)
    with serving(create_app(generator, ScriptedRewardModel())) as client:
        opened(page, str(client.base_url))
        ask(page)
        with page.expect_request(lambda request: request.method == "DELETE"):
            page.get_by_role("button", name="Stop").click()
        run = ended(page, state="stopped")
        expect(run.get_by_role("button", name="Run again")).to_be_focused()
        while generator.n_running:  # the test's own limit of time ends this
            client.get("/healthz")
        assert generator.cancelled.is_set()


def test_methods_are_compared_side_by_side_with_one_seed(page: Page, embedded: httpx.Client) -> None:
    opened(page, str(embedded.base_url))
    for position, method in enumerate(("beam", "best_of_n", "ipf"), start=1):
        page.get_by_role("button", name="+ Compare").click()
        page.get_by_label("Method", exact=True).nth(position).select_option(method)
    expect(page.get_by_role("button", name="+ Compare")).to_be_hidden()
    page.get_by_role("button", name="Remove this method").nth(3).click()
    with page.expect_request("**/solve") as asked:
        ask(page, BIRDS, seed=None, particles=4)
    runs = [ended(page, name) for name in ("epf", "beam", "best_of_n")]
    assert page.get_by_role("article").count() == 3
    seeds = {seed for run in runs for seed in re.findall(r"seed (\d+)", run.inner_text())}
    sent = asked.value.post_data_json
    assert sent is not None
    assert seeds == {str(sent["seed"])}
    left = [run.bounding_box() for run in runs[:2]]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0]["y"] == left[1]["y"], "side by side"
    runs[1].get_by_role("button", name="Run again").click()
    ended(page, "beam")
    assert page.get_by_role("article").count() == 3


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_drawn(method: str, page: Page, scripted: str) -> None:
    opened(page, scripted)
    page.get_by_label("Method", exact=True).select_option(method)
    ask(page, BIRDS, seed=3, particles=6)
    run = ended(page, method)
    names = steps(run)
    n = 1 if method == "sample" else 6
    assert len(names) >= min(n, 4) * N_STEPS
    assert len(set(names)) >= min(n, 4) * N_STEPS
    run.locator(".nodes > g").last.click()
    expect(run.get_by_role("group", name="The chosen step")).to_be_visible()
    expect(run.locator(".the-answer")).to_have_text("42")


def test_a_search_that_fails_shows_why(page: Page) -> None:
    broken = ScriptedGenerator(error=GeneratorError("The generator is away: start it again."))
    with serving(create_app(broken, ScriptedRewardModel())) as client:
        opened(page, str(client.base_url))
        ask(page)
        expect(ended(page).get_by_role("alert")).to_contain_text("The generator is away", timeout=PATIENCE_MS)


def test_a_refusal_shows_the_server_s_words(page: Page, scripted: str) -> None:
    opened(page, scripted)
    ask(page, "   ")
    expect(ended(page).get_by_role("alert")).to_contain_text("problem", timeout=PATIENCE_MS)


def test_a_long_text_is_refused_and_not_cut(page: Page, scripted: str) -> None:
    opened(page, scripted)
    ask(page, "x" * 20_001, particles=2)
    run = ended(page)
    expect(run.get_by_role("alert")).to_contain_text("at most 20000 characters, got 20001")
    expect(run.get_by_text("Choose a step")).to_be_hidden()
    expect(run.get_by_role("group", name="Answers")).to_be_hidden()
