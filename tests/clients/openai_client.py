"""The official client: synchronous, asynchronous, raw responses and the stream helper."""

import asyncio
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import openai
from cases import (
    GUARD_S,
    KEY,
    MODEL,
    PROBLEM,
    TOO_LONG,
    after_retry,
    determined,
    messages,
    raised,
    report,
    until_nothing_runs,
    url,
)


def options(server: str = "real", key: str = KEY, retries: int = 0) -> dict[str, Any]:
    return {"base_url": url(server), "api_key": key, "max_retries": retries, "timeout": GUARD_S}


def asked(fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": MODEL, "messages": messages(), **fields}


def checked(answer: Any) -> Any:
    """Return ``answer`` after strict validation against its published type, which the client itself omits."""
    return type(answer).model_validate_json(answer.to_json(), strict=True)


class Sync:
    name = "sync"

    def models(self) -> list[str]:
        with openai.OpenAI(**options()) as client:
            assert client.models.retrieve("epf-12").id == "epf-12"
            return [checked(model).id for model in client.models.list()]

    def complete(self, fields: dict[str, Any], **where: Any) -> Any:
        with openai.OpenAI(**options(**where)) as client:
            return checked(client.chat.completions.create(**asked(fields)))

    def stream(self, fields: dict[str, Any], **where: Any) -> list[Any]:
        with openai.OpenAI(**options(**where)) as client:
            return [checked(chunk) for chunk in client.chat.completions.create(stream=True, **asked(fields))]

    def leave(self) -> None:
        with openai.OpenAI(**options("endless")) as client:
            stream = client.chat.completions.create(stream=True, **asked({}))
            assert next(iter(stream)).choices[0].delta.role == "assistant"
            stream.close()

    def bad_json(self) -> None:
        with openai.OpenAI(**options()) as client:
            client.post("/chat/completions", body="no object", cast_to=object)


class Async(Sync):
    name = "async"

    def models(self) -> list[str]:
        async def ask() -> list[str]:
            async with openai.AsyncOpenAI(**options()) as client:
                return [model.id async for model in client.models.list()]

        return asyncio.run(ask())

    def complete(self, fields: dict[str, Any], **where: Any) -> Any:
        async def ask() -> Any:
            async with openai.AsyncOpenAI(**options(**where)) as client:
                return checked(await client.chat.completions.create(**asked(fields)))

        return asyncio.run(ask())

    def stream(self, fields: dict[str, Any], **where: Any) -> list[Any]:
        async def ask() -> list[Any]:
            async with openai.AsyncOpenAI(**options(**where)) as client:
                return [checked(chunk) async for chunk in await client.chat.completions.create(stream=True, **asked(fields))]

        return asyncio.run(ask())

    def leave(self) -> None:
        async def ask() -> None:
            async with openai.AsyncOpenAI(**options("endless")) as client:
                stream = await client.chat.completions.create(stream=True, **asked({}))
                async for chunk in stream:
                    assert chunk.choices[0].delta.role == "assistant"
                    break
                await stream.close()

        asyncio.run(ask())

    def bad_json(self) -> None:
        async def ask() -> None:
            async with openai.AsyncOpenAI(**options()) as client:
                await client.post("/chat/completions", body="no object", cast_to=object)

        asyncio.run(ask())


class Raw(Sync):
    name = "raw"

    def models(self) -> list[str]:
        with openai.OpenAI(**options()) as client:
            return [model.id for model in client.models.with_raw_response.list().parse()]

    def complete(self, fields: dict[str, Any], **where: Any) -> Any:
        with openai.OpenAI(**options(**where)) as client:
            raw = client.chat.completions.with_raw_response.create(**asked(fields))
            assert raw.request_id
            return checked(raw.parse())

    def stream(self, fields: dict[str, Any], **where: Any) -> list[Any]:
        with openai.OpenAI(**options(**where)) as client:
            raw = client.chat.completions.with_raw_response.create(stream=True, **asked(fields))
            assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert raw.request_id
            return [checked(chunk) for chunk in raw.parse()]


class Helper(Sync):
    name = "stream helper"

    def complete(self, fields: dict[str, Any], **where: Any) -> Any:
        fields = {"stream_options": {"include_usage": True}, **fields}
        with openai.OpenAI(**options(**where)) as client, client.chat.completions.stream(**asked(fields)) as stream:
            return stream.get_final_completion()

    def stream(self, fields: dict[str, Any], **where: Any) -> list[Any]:
        with openai.OpenAI(**options(**where)) as client, client.chat.completions.stream(**asked(fields)) as stream:
            return [checked(event.chunk) for event in stream if event.type == "chunk"]

    def leave(self) -> None:
        with openai.OpenAI(**options("endless")) as client, client.chat.completions.stream(**asked({})) as stream:
            next(iter(stream))


def text(chunks: list[Any], index: int = 0) -> str:
    return "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == index)


def readme() -> None:
    """Run README's example, with only address and key replaced."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if "OpenAI" in block)
    address, key = '"http://localhost:8000/v1"', '"none"'
    assert address in code
    assert key in code
    printed = StringIO()
    with redirect_stdout(printed):
        exec(code.replace(address, repr(url("real"))).replace(key, repr(KEY)), {})
    assert printed.getvalue().startswith("28 "), printed.getvalue()


class Cases:
    def __init__(self, client: Sync) -> None:
        self.client = client

    def models(self) -> None:
        names = self.client.models()
        assert {"stories-generator", "epf", "epf-16", "self-consistency-32"} <= set(names), names

    def basic(self) -> None:
        answer = self.client.complete({"seed": 1, "user": "someone", "extra_body": {"search": {"lookahead": "reuse"}}})
        (choice,) = answer.choices
        assert "\\boxed{28}" in choice.message.content
        assert (choice.message.role, choice.finish_reason, answer.model) == ("assistant", "stop", MODEL)
        if not isinstance(self.client, Helper):
            assert choice.search["answer"] == "28"
        if type(self.client) is Sync:
            readme()

    def stream(self) -> None:
        chunks = self.client.stream({"seed": 1})
        assert chunks[0].choices[0].delta.role == "assistant"
        assert text(chunks) == self.client.complete({"seed": 1}).choices[0].message.content
        assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
        assert not [chunk for chunk in chunks if chunk.usage]

    def usage(self) -> None:
        *chunks, last = self.client.stream({"seed": 1, "stream_options": {"include_usage": True}})
        assert last.choices == []
        assert not [chunk for chunk in chunks if chunk.usage]
        whole = self.client.complete({"seed": 1}).usage
        assert determined(last.usage) == determined(whole)
        assert whole.total_tokens == whole.prompt_tokens + whole.completion_tokens
        assert 0 < whole.completion_tokens_details.reasoning_tokens < whole.completion_tokens

    def three(self) -> None:
        answer = self.client.complete({"n": 3, "seed": 2})
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        chunks = self.client.stream({"n": 3, "seed": 2})
        assert [text(chunks, index) for index in range(3)] == [choice.message.content for choice in answer.choices]

    def stop(self) -> None:
        (choice,) = self.client.complete({"stop": ["\n\n", "nothing"], "seed": 1}).choices
        assert choice.finish_reason == "stop"
        assert choice.message.content == "45 - 17 = 28."

    def seed_twice(self) -> None:
        first, second = (self.client.complete({"seed": 9, "temperature": 1.5, "model": "stories-generator"}) for _ in range(2))
        assert first.choices[0].message.content == second.choices[0].message.content
        assert first.id != second.id
        assert first.system_fingerprint == second.system_fingerprint

    def one_token(self) -> None:
        if isinstance(self.client, Helper):  # which raises if the answer is truncated
            raised(openai.LengthFinishReasonError, lambda: self.client.complete({"max_completion_tokens": 1}))
            return
        answer = self.client.complete({"max_completion_tokens": 1, "seed": 1})
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens - answer.usage.completion_tokens_details.reasoning_tokens == 1

    def logprobs(self) -> None:
        (choice,) = self.client.complete({"logprobs": True, "seed": 1}).choices
        assert "".join(token.token for token in choice.logprobs.content) == choice.message.content
        assert all(token.logprob <= 0 for token in choice.logprobs.content)

    def bad_model(self) -> None:
        error = raised(openai.NotFoundError, lambda: self.client.complete({"model": "gpt-4o"}))
        assert (error.code, error.param, error.type) == ("model_not_found", "model", "invalid_request_error")
        assert error.request_id

    def bad_key(self) -> None:
        error = raised(openai.AuthenticationError, lambda: self.client.complete({}, key="wrong"))
        assert error.code == "invalid_api_key"

    def bad_json(self) -> None:
        assert raised(openai.BadRequestError, self.client.bad_json).code == "invalid_json"

    def too_long(self) -> None:
        error = raised(openai.BadRequestError, lambda: self.client.stream({"messages": messages(TOO_LONG)}))
        assert (error.code, error.param) == ("context_length_exceeded", "messages")

    def overload(self) -> None:
        error = raised(openai.InternalServerError, lambda: self.client.complete({}, server="overloaded"))
        assert (error.status_code, error.code) == (503, "overloaded")
        assert error.response.headers["retry-after"] == "1"
        self.client.complete({}, server="overloaded")
        after_retry(lambda: self.client.complete({}, server="overloaded", retries=1))
        limited = raised(openai.RateLimitError, lambda: [self.client.complete({}, server="limited") for _ in range(999)])
        assert (limited.code, limited.type) == ("rate_limit_exceeded", "rate_limit_error")
        assert limited.response.headers["x-ratelimit-limit-requests"] == "60"
        assert limited.response.headers["x-ratelimit-remaining-requests"] == "0"
        self.client.complete({}, server="limited", retries=2)

    def fault(self) -> None:
        error = raised(openai.APIError, lambda: self.client.stream({}, server="faulty"))
        assert not isinstance(error, openai.APIStatusError)
        assert error.code == "generator_error"

    def disconnect(self) -> None:
        self.client.leave()
        until_nothing_runs()

    def tools(self) -> None:
        tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
        error = raised(openai.BadRequestError, lambda: self.client.complete({"tools": [tool]}))
        assert (error.code, error.param) == ("invalid_value", "tools")

    def completions(self) -> None:
        with openai.OpenAI(**options()) as client:
            whole = checked(client.completions.create(model=MODEL, prompt=[PROBLEM, PROBLEM], seed=1))
            assert [choice.index for choice in whole.choices] == [0, 1]
            assert "\\boxed{28}" in whole.choices[0].text
            assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
            # The client's type allows no null as the reason, but the OpenAI API sends it in each chunk except the last, too.
            chunks = list(client.completions.create(model=MODEL, prompt=PROBLEM, seed=1, stream=True))
            assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
            assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
            plain = client.completions.create(model="stories-generator", prompt=PROBLEM, seed=1, max_tokens=8, logprobs=0)
            assert plain.choices[0].finish_reason == "length"
            assert len(plain.choices[0].logprobs.token_logprobs) == 8

    def json_format(self) -> None:
        error = raised(openai.BadRequestError, lambda: self.client.complete({"response_format": {"type": "json_object"}}))
        assert (error.code, error.param) == ("invalid_value", "response_format")


for flavour in (Sync(), Async(), Raw(), Helper()):
    cases = Cases(flavour)
    report(
        f"openai {openai.__version__} {flavour.name}",
        {
            "models": cases.models if not isinstance(flavour, Helper) else "it supports chats only",
            "basic": cases.basic,
            "stream": cases.stream,
            "usage": cases.usage,
            "n=3": cases.three,
            "stop": cases.stop,
            "seed twice": cases.seed_twice,
            "one token": cases.one_token,
            "logprobs": cases.logprobs,
            "bad model": cases.bad_model,
            "bad key": cases.bad_key,
            "bad JSON": cases.bad_json if type(flavour) in (Sync, Async) else "it builds the body itself",
            "too long": cases.too_long,
            "overload": cases.overload,
            "mid-stream fault": cases.fault,
            "disconnect": cases.disconnect,
            "tools": cases.tools,
            "JSON format": cases.json_format,
            "completions": cases.completions if type(flavour) is Sync else "it is tried once, by the synchronous client",
        },
        otherwise="its responses have a column of their own",
    )
