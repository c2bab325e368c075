"""What a reader does on the page, and what is on it."""

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 30_000
BIRDS = "There are 45 birds on a wire. 17 fly away. How many are left?"
STORY = (
    "Eli kept 5 stones in a basket. Then Eli tripled her stones. Eli saw 36 pencils on the way. Then Eli doubled the number of "
    "her stones. She bought 15 rocks for her aunt. Her aunt had half as many as she. How many stones do they have altogether?"
)
"""With seed 7 its search is annealed at step 3, and particles are dropped there."""


def opened(page: Page, url: str) -> None:
    """Open the page and wait until it can ask."""
    page.goto(url)
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_enabled(timeout=PATIENCE_MS)


def ask(page: Page, problem: str = BIRDS, *, seed: int | None = 1, particles: int | None = None) -> None:
    """Fill the form and start the search."""
    page.get_by_label("Problem").fill(problem)
    if seed is not None:
        page.get_by_label("Seed").fill(str(seed))
    if particles is not None:
        page.get_by_label("Particles").fill(str(particles))
    page.get_by_role("button", name="Search", exact=True).click()


def ended(page: Page, name: str = "epf", state: str = "ended") -> Locator:
    """The search with this title, once it has ended."""
    run = page.get_by_role("article", name=name, exact=True)
    expect(run).to_have_attribute("data-state", state, timeout=PATIENCE_MS)
    return run


def steps(run: Locator) -> list[str]:
    """Names of all steps in the picture, as a screen reader reads them, sorted: steps of one round arrive in any order."""
    found: list[str] = run.locator(".nodes > g").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    return sorted(found)


def violations(page: Page, axe: str) -> list[Mapping[str, Any]]:
    """What axe-core finds, as rule and elements."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run()).violations.map(v => ({id: v.id, on: v.nodes.map(n => n.html)}))")
    assert isinstance(found, list)
    return found
