"""A refused body costs one complaint, however much is wrong with it, and lists that are too long are not read at all."""

import asyncio
import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from epf.core.errors import InvalidRequest
from epf.service.app import create_app
from epf.service.batch.schemas import BatchRequest
from epf.service.chat.request import ChatRequest
from epf.service.completions.request import CompletionRequest
from epf.service.http.body import MAX_DIGITS, MAX_VALUES, check_text, parsed
from epf.service.responses.request import ResponsesRequest
from epf.service.score.schemas import ScoreRequest
from epf.service.scoring_app import TraceIn
from epf.service.settings import Settings
from epf.service.solve.schemas import SolveRequest
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import GUARD_S, client_of

MANY = MAX_VALUES - 10
SETTINGS = Settings(max_batch=MANY, max_steps=MANY, max_messages=MANY)
"""With such limits, a list of many items is read."""

LISTS: dict[str, tuple[type[BaseModel], dict[str, Any], str]] = {
    "problems": (BatchRequest, {}, "max_batch"),
    "steps": (ScoreRequest, {"problem": "a"}, "max_steps"),
    "steps of serve-prm": (TraceIn, {"problem": "a"}, "max_steps"),
    "messages": (ChatRequest, {"model": "a"}, "max_messages"),
    "input": (ResponsesRequest, {"model": "a"}, ""),
    "prompt": (CompletionRequest, {"model": "a"}, ""),
    "stop": (SolveRequest, {"problem": "a"}, ""),
}
"""For each list, the body that it is in, other fields, and the setting of its maximum."""


def body_of(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("item", [{}, [], 1, None, True, {"a": 1}], ids=str)
@pytest.mark.parametrize("name", LISTS)
def test_validation_of_a_list_ends_with_its_first_item_that_is_wrong(name: str, item: Any) -> None:
    model, others, _ = LISTS[name]
    n = MANY if item != {"a": 1} else MANY // 2
    with pytest.raises((RequestValidationError, InvalidRequest)) as refused:
        parsed(body_of({**others, name.split()[0]: [item] * n}), model, SETTINGS)
    if isinstance(refused.value, RequestValidationError):
        assert len(refused.value.errors()) == 1


@pytest.mark.parametrize("name", [name for name, (_, _, setting) in LISTS.items() if setting])
def test_a_list_beyond_its_maximum_is_refused_before_its_items_are_read(name: str) -> None:
    model, others, setting = LISTS[name]
    field = name.split()[0]
    settings = SETTINGS.model_copy(update={setting: 3})
    wrong = {**others, field: [{"a": []}] * 4}
    with pytest.raises(InvalidRequest, match=f"`{field}` may have at most 3 items on this server") as refused:
        parsed(body_of(wrong), model, settings)
    assert refused.value.param == field


@pytest.mark.parametrize("model", [SolveRequest, BatchRequest, ScoreRequest, TraceIn])
def test_one_of_many_unknown_fields_is_complained_about(model: type[BaseModel]) -> None:
    with pytest.raises(RequestValidationError) as refused:
        parsed(body_of({f"k{i}": 1 for i in range(MANY)}), model, SETTINGS)
    (complaint,) = refused.value.errors()
    assert complaint["type"] in ("missing", "extra_forbidden")


def test_the_unknown_field_that_comes_first_is_named() -> None:
    with pytest.raises(RequestValidationError) as refused:
        parsed(body_of({"b": 1, "problem": "a", "a": 1}), SolveRequest, SETTINGS)
    (complaint,) = refused.value.errors()
    assert complaint["loc"] == ("body", "b")


@pytest.mark.parametrize("content", [b"[]", b"1", b'"a"', b"null", b"{", b'{"problem": \xff}', b"[" * 3000, b"{}", b""])
@pytest.mark.parametrize(
    "path", ["/solve", "/solve/batch", "/score", "/v1/chat/completions", "/v1/completions", "/v1/responses"]
)
def test_every_refusal_has_the_common_form(path: str, content: bytes) -> None:
    async def post() -> Any:
        async with asyncio.timeout(GUARD_S), client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            return await client.post(path, content=content, headers={"content-type": "application/json"})

    response = asyncio.run(post())
    assert response.status_code == 400
    assert response.json()["error"]["message"].endswith(".")


TOO_MANY = {
    "items": '{"a":[' + "1," * MAX_VALUES + "1,1]}",
    "objects": '{"a":' + "[" * (MAX_VALUES + 2),
    "fields": "{" + ",".join(f'"{i}":1' for i in range(MAX_VALUES + 2)) + "}",
    "texts": '["' + '","' * (MAX_VALUES * 3) + '"]',
    "texts of backslashes": '["' + '\\\\","' * (MAX_VALUES * 4) + '"]',
}


@pytest.mark.parametrize("name", TOO_MANY)
def test_what_has_too_many_values_is_not_even_parsed(name: str) -> None:
    with pytest.raises(InvalidRequest, match="more than 4096 fields and items"):
        check_text(TOO_MANY[name].encode())


HONEST = {
    "a text full of commas and brackets": json.dumps({"problem": ",[{" * 20_000}),
    "a text full of quotes": json.dumps({"problem": '"a", ' * 20_000}),
    "a text that ends in a backslash": json.dumps({"problem": "\\", "system_prompt": ",[{" * 20_000}),
    "a text of digits": json.dumps({"problem": "7" * 20_000}),
    "as many values as are allowed": json.dumps([1] * MAX_VALUES),
    "a long number": "1" * MAX_DIGITS,
}


@pytest.mark.parametrize("name", HONEST)
def test_what_texts_contain_does_not_count(name: str) -> None:
    check_text(HONEST[name].encode())


@pytest.mark.parametrize("number", ["9" * (MAX_DIGITS + 1), "0." + "1" * (MAX_DIGITS + 1)])
def test_a_number_with_too_many_digits_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        check_text(f'{{"problem": "a", "seed": {number}}}'.encode())
