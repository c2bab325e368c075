"""Every route of the OpenAPI document under valid and invalid data, over a real socket: no 5xx, no hang, errors in one form.

Schemathesis makes the requests: examples, systematic coverage of each schema's edges, and random data, NUL characters included.
``FUZZ_EXAMPLES`` sets how many random requests each route gets.

Its checks of status codes, content types and response schemas are on, and so is the rejection of what the document forbids.
Off are those that cannot hold here:
- positive_data_acceptance: the server's limits, which are settings, are below the schema's; a model name must exist; ...
- unsupported_method and allow_header_conformance: they concern the framework's 405, which names the methods that there are.
- ignored_auth, use_after_free, ensure_resource_availability: nothing is created, and no key is set.
"""

import os
import threading
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
import uvicorn
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import create_app
from service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

N_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))
HANGS_S = 30

SETTINGS = Settings(max_particles=32, max_steps=50, max_batch=8)


def app() -> Any:
    return create_app(ScriptedGenerator(), ScriptedRewardModel(), SETTINGS)


schema = schemathesis.openapi.from_dict(app().openapi())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app(), port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    (listening,) = server.servers[0].sockets
    host, port = listening.getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()


def error_in_one_form(ctx: Any, response: Any, case: Any) -> None:
    if response.status_code < 400:
        return
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert isinstance(body["error"]["code"], str)
    assert body["error"]["param"] is None or isinstance(body["error"]["param"], str)


@schema.parametrize()
@hypothesis.settings(max_examples=N_EXAMPLES, deadline=None, database=None, derandomize="FUZZ_EXAMPLES" not in os.environ)
def test_every_request_is_answered_as_the_document_says(case: Any, url: str) -> None:
    case.call_and_validate(
        base_url=url,
        timeout=HANGS_S,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            negative_data_rejection,
            error_in_one_form,
        ],
    )
