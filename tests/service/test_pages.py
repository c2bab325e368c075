"""The pages that document the API: nothing on them comes from the internet."""

import re
from collections.abc import Iterator

import httpx
import pytest

from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.chat.writing import serving


@pytest.fixture(scope="module", params=["service", "scoring"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of each of the servers."""
    served = request.param == "service"
    app = create_app(ScriptedGenerator(), ScriptedRewardModel()) if served else create_scoring_app(ScriptedRewardModel())
    with serving(app) as found:
        yield found


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_every_asset_of_a_page_is_served_with_it(path: str, client: httpx.Client) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) >= 2
    for asset in assets:
        response = client.get(asset)
        assert response.status_code == 200, asset
        assert len(response.content) > 1000
    assert '"/openapi.json"' in page.text.replace("'", '"')
    assert "https://" not in page.text
    if path == "/docs":
        assert '"validatorUrl": null' in page.text


def test_the_root_is_the_page_of_the_search_or_leads_to_the_document(client: httpx.Client) -> None:
    response = client.get("/")
    if client.get("/methods").status_code == 404:
        assert (response.status_code, response.headers["location"]) == (307, "/docs")
        return
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    linked = set(re.findall(r'(?:src|href)="(web/[^"]+)"', response.text))
    assert len(linked) >= 4
    for module in sorted(linked):  # modules name further ones
        linked |= {
            f"web/{name}" for name in re.findall(r'^import .* from "\./([^"]+)";$', client.get(module).text, re.MULTILINE)
        }
    for path in linked:
        asset = client.get(path)
        assert (asset.status_code, asset.headers["x-content-type-options"]) == (200, "nosniff"), path
        again = client.get(path, headers={"if-none-match": asset.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    outside = r"<script(?![^>]*src=)|\son[a-z]+=|\sstyle=|https?://"
    assert not re.search(outside, response.text), "nothing inline, nothing from elsewhere"


@pytest.mark.parametrize("name", ["nothing.js", "..%2frouter.py", "%2e%2e/router.py", "static", "index.html%00", ""])
def test_only_the_files_of_the_page_are_served(name: str, client: httpx.Client) -> None:
    assert client.get(f"/web/{name}").status_code == 404
