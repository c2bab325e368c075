"""The official client's responses: synchronous, asynchronous, and the stream helper."""

import asyncio
import time
from typing import Any

import openai
from cases import GUARD_S, KEY, MODEL, PROBLEM, after_retry, raised, report, until_nothing_runs, url
from openai.types.responses import Response

PENDING = ("queued", "in_progress")


def options(server: str = "real", key: str = KEY, retries: int = 0) -> dict[str, Any]:
    return {"base_url": url(server), "api_key": key, "max_retries": retries, "timeout": GUARD_S}


def asked(fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": MODEL, "input": PROBLEM, **fields}


def checked(answer: Any) -> Any:
    """Return ``answer`` after strict validation against its published type, which the client itself omits."""
    return type(answer).model_validate_json(answer.to_json(), strict=True)


class Sync:
    name = "sync"

    def create(self, fields: dict[str, Any], **where: Any) -> Response:
        with openai.OpenAI(**options(**where)) as client:
            response: Response = checked(client.responses.create(**asked(fields)))
            return response

    def stream(self, fields: dict[str, Any], n: int | None = None, **where: Any) -> list[Any]:
        """Return the events, or the first ``n`` of them, after which the connection is closed."""
        with (
            openai.OpenAI(**options(**where)) as client,
            client.responses.create(stream=True, **asked(fields)) as events,
        ):
            return [checked(event) for _, event in zip(range(n or 10**6), events, strict=False)]

    def retrieve(self, id: str, **where: Any) -> Response:
        with openai.OpenAI(**options(**where)) as client:
            response: Response = checked(client.responses.retrieve(id))
            return response

    def resume(self, id: str, after: int) -> list[Any]:
        with openai.OpenAI(**options()) as client:
            return [checked(event) for event in client.responses.retrieve(id, stream=True, starting_after=after)]

    def cancel(self, id: str, **where: Any) -> Response:
        with openai.OpenAI(**options(**where)) as client:
            response: Response = checked(client.responses.cancel(id))
            return response


class Async(Sync):
    name = "async"

    def create(self, fields: dict[str, Any], **where: Any) -> Response:
        async def ask() -> Response:
            async with openai.AsyncOpenAI(**options(**where)) as client:
                response: Response = checked(await client.responses.create(**asked(fields)))
                return response

        return asyncio.run(ask())

    def stream(self, fields: dict[str, Any], n: int | None = None, **where: Any) -> list[Any]:
        async def ask() -> list[Any]:
            found: list[Any] = []
            async with (
                openai.AsyncOpenAI(**options(**where)) as client,
                await client.responses.create(stream=True, **asked(fields)) as events,
            ):
                async for event in events:
                    found.append(checked(event))
                    if len(found) == n:
                        break
            return found

        return asyncio.run(ask())

    def retrieve(self, id: str, **where: Any) -> Response:
        async def ask() -> Response:
            async with openai.AsyncOpenAI(**options(**where)) as client:
                response: Response = checked(await client.responses.retrieve(id))
                return response

        return asyncio.run(ask())

    def resume(self, id: str, after: int) -> list[Any]:
        async def ask() -> list[Any]:
            async with openai.AsyncOpenAI(**options()) as client:
                events = await client.responses.retrieve(id, stream=True, starting_after=after)
                return [checked(event) async for event in events]

        return asyncio.run(ask())

    def cancel(self, id: str, **where: Any) -> Response:
        async def ask() -> Response:
            async with openai.AsyncOpenAI(**options(**where)) as client:
                response: Response = checked(await client.responses.cancel(id))
                return response

        return asyncio.run(ask())


class Cases:
    def __init__(self, client: Sync) -> None:
        self.client = client

    def responses(self) -> None:
        first = self.client.create({"instructions": "Solve it.", "metadata": {"set": "birds"}, "reasoning": {"effort": "low"}})
        assert first.status == "completed"
        assert first.metadata == {"set": "birds"}
        plain = self.client.create({"input": [{"role": "user", "content": [{"type": "input_text", "text": PROBLEM}]}]})
        assert "\\boxed{28}" in plain.output_text
        assert self.client.retrieve(plain.id).output == plain.output
        following = self.client.create({"previous_response_id": plain.id, "input": "Are you sure?"})
        assert following.previous_response_id == plain.id

    def usage(self) -> None:
        usage = self.client.create({}).usage
        assert usage is not None
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens

    def stream(self) -> None:
        events = self.client.stream({})
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text == events[-1].response.output_text
        if type(self.client) is Sync:
            with openai.OpenAI(**options()) as client, client.responses.stream(**asked({})) as stream:
                assert "\\boxed{28}" in stream.get_final_response().output_text

    def one_token(self) -> None:
        response = self.client.create({"max_output_tokens": 16})
        assert response.status == "completed" or response.incomplete_details.reason == "max_output_tokens"

    def background(self) -> None:
        response = self.client.create({"background": True})
        assert response.status in PENDING
        deadline = time.monotonic() + GUARD_S
        while response.status in PENDING:
            assert time.monotonic() < deadline
            time.sleep(0.02)
            response = self.client.retrieve(response.id)
        assert response.status == "completed"
        assert "\\boxed{28}" in response.output_text

    def resume(self) -> None:
        begun = self.client.stream({"background": True}, n=2)
        rest = self.client.resume(begun[0].response.id, begun[-1].sequence_number)
        assert rest[0].sequence_number == begun[-1].sequence_number + 1
        assert rest[-1].type == "response.completed"

    def cancel(self) -> None:
        response = self.client.create({"background": True}, server="endless")
        assert self.client.cancel(response.id, server="endless").status == "cancelled"
        assert self.client.retrieve(response.id, server="endless").status == "cancelled"
        until_nothing_runs()

    def disconnect(self) -> None:
        self.client.stream({}, n=1, server="endless")
        until_nothing_runs()

    def fault(self) -> None:
        last = self.client.stream({}, server="faulty")[-1]
        assert last.type == "response.failed"
        assert last.response.status == "failed"

    def overload(self) -> None:
        raised(openai.InternalServerError, lambda: self.client.create({}, server="overloaded"))
        self.client.create({}, server="overloaded")
        after_retry(lambda: self.client.create({}, server="overloaded", retries=1))

    def refused(self, kind: type[openai.APIStatusError], code: str, fields: dict[str, Any], **where: Any) -> None:
        error = raised(kind, lambda: self.client.create(fields, **where))
        assert isinstance(error, kind)
        assert error.code == code

    def tools(self) -> None:
        self.refused(openai.BadRequestError, "invalid_value", {"tools": [{"type": "web_search"}]})

    def json_format(self) -> None:
        self.refused(openai.BadRequestError, "invalid_value", {"text": {"format": {"type": "json_object"}}})


def report_on(client: Sync) -> None:
    cases = Cases(client)
    report(
        f"openai {openai.__version__} responses, {client.name}",
        {
            "usage": cases.usage,
            "one token": cases.one_token,
            "bad model": lambda: cases.refused(openai.NotFoundError, "model_not_found", {"model": "gpt-4o"}),
            "bad key": lambda: cases.refused(openai.AuthenticationError, "invalid_api_key", {}, key="wrong"),
            "too long": lambda: cases.refused(openai.BadRequestError, "context_length_exceeded", {"input": "birds " * 600}),
            "overload": cases.overload,
            "mid-stream fault": cases.fault,
            "disconnect": cases.disconnect,
            "tools": cases.tools,
            "JSON format": cases.json_format,
            "responses": cases.responses,
            "responses stream": cases.stream,
            "background": cases.background,
            "resume": cases.resume,
            "cancel": cases.cancel,
        },
        otherwise="responses have no such call",
    )


for flavour in (Sync(), Async()):
    report_on(flavour)
