from collections.abc import Iterator

import httpx
import pytest

from epf.service.app import create_app
from epf.service.settings import Settings
from tests.service.chat.writing import Judge, Writer, completed, failure, serving


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(create_app(Writer(), Judge(), Settings(max_particles=16))) as client:
        yield client


def test_the_list_is_the_published_shape_and_all_of_it_is_served(client: httpx.Client) -> None:
    body = client.get("/v1/models").json()
    assert set(body) == {"object", "data"}
    assert body["object"] == "list"
    assert len({model["id"] for model in body["data"]}) == len(body["data"])
    for model in body["data"]:
        assert set(model) == {"id", "object", "created", "owned_by"}
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert client.get(f"/v1/models/{model['id']}").json() == model
        assert completed(client, model=model["id"])["model"] == model["id"]


@pytest.mark.parametrize("id", ["epf-3", "test/writer", "test%2Fwriter"])
def test_every_supported_name_is_found(client: httpx.Client, id: str) -> None:
    assert client.get(f"/v1/models/{id}").json()["id"] == id.replace("%2F", "/")


@pytest.mark.parametrize("id", ["gpt-4o", "epf-17", "a/b/c", "%ff", "%00", "x" * 5000])
def test_other_names_are_not_found(client: httpx.Client, id: str) -> None:
    response = client.get(f"/v1/models/{id}")
    assert response.status_code == 404
    error = failure(response)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert len(error["message"]) < 200


def test_the_document_describes_requests_responses_and_chunks(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    chat, schemas = document["paths"]["/v1/chat/completions"]["post"], document["components"]["schemas"]
    request = schemas["ChatRequest"]["properties"]
    assert all(field.get("description") for field in request.values())
    content = schemas["ChatMessage"]["properties"]["content"]
    assert [kind["type"] for kind in content["anyOf"]] == ["string", "array"]
    answers = chat["responses"]["200"]["content"]
    assert answers["application/json"]["schema"]["$ref"].endswith("/ChatCompletion")
    chunk, done = answers["text/event-stream"]["itemSchema"]["properties"]["data"]["anyOf"]
    assert chunk["contentSchema"]["anyOf"][0]["$ref"].endswith("/ChatCompletionChunk")
    assert done == {"const": "[DONE]"}
    assert "ChatCompletionChunk" in schemas
    assert chat["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
