"""What models write stays text, and a server that dies is noticed."""

from playwright.sync_api import Page, expect

from epf.service.app import create_app
from tests.fakes import ScriptedRewardModel
from tests.service.chat.writing import Writer, serving
from tests.service.test_drain import started
from tests.web.page import ask, ended, opened

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\n\n"
    r"\(\href{javascript:document.title=1}{x} + \frac{1}{2}\) and $\text{<b>bold</b>}$ and \[\unclosed{\]"
    "\n\nThe answer is \\boxed{<i>\"'&}."
)


def test_what_a_model_writes_is_text(page: Page) -> None:
    with serving(create_app(Writer((HOSTILE,)), ScriptedRewardModel())) as client:
        opened(page, str(client.base_url))
        ask(page, "<b>How many?</b>", particles=2)
        run = ended(page)
        detail = run.get_by_role("group", name="The chosen step")
        run.get_by_role("button", name="Particle 1, step 1").click()
        expect(detail).to_contain_text("<script>")
        run.get_by_role("button", name="Particle 1, step 2").click()
        expect(detail.locator("math mfrac").first).to_be_visible()
        expect(detail).to_contain_text(r"$\text{<b>bold</b>}$")
        assert page.locator("main [href], main [onerror], main img, main script, main b, main i").count() == 0
        assert page.title() == "Entropic particle filtering"


def test_prices_are_no_formulas(page: Page) -> None:
    text = r"A pen costs $5, a book ($12) costs \$7 more, and $x = 5 + 7$ or $12-$5."
    with serving(create_app(Writer((text + "\n\nThe answer is \\boxed{12}.",)), ScriptedRewardModel())) as client:
        opened(page, str(client.base_url))
        ask(page, "How much is the book?", particles=2)
        run = ended(page)
        run.get_by_role("button", name="Particle 1, step 1").click()
        detail = run.get_by_role("group", name="The chosen step")
        expect(detail.locator("math").first).to_be_visible()
        assert detail.locator("math").count() == 1
        expect(detail).to_contain_text(r"A pen costs $5, a book ($12) costs \$7 more, and")
        expect(detail).to_contain_text("or $12-$5.")


def test_a_server_that_dies_in_the_middle_is_noticed(page: Page) -> None:
    with started() as server:
        opened(page, server.url)
        ask(page, "held after its first steps", particles=2)
        server.until_held(2)
        server.process.kill()
        run = ended(page)
        expect(run.get_by_role("alert")).to_contain_text("The connection to the server was lost")
        run.get_by_role("button", name="Particle 1, step 1").click()
        expect(run.get_by_role("group", name="The chosen step")).to_contain_text("Step 1")
        expect(run.get_by_role("button", name="Run again")).to_be_visible()


def test_a_server_that_is_gone_is_named(page: Page) -> None:
    with started() as server:
        opened(page, server.url)
        server.process.kill()
        server.process.wait()
        ask(page)
        expect(ended(page).get_by_role("alert")).to_contain_text("The connection to the server was lost")
