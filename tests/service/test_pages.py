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


def test_the_root_leads_to_the_page(client: httpx.Client) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")
