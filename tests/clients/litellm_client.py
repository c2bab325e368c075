"""litellm with the openai/ prefix, as its proxy calls an OpenAI-compatible server."""

import asyncio
from importlib.metadata import version
from typing import Any

import litellm
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

litellm.suppress_debug_info = True


def options(server: str, key: str, retries: int, model: str, fields: dict[str, Any]) -> dict[str, Any]:
    where = {"api_base": url(server), "api_key": key, "max_retries": retries, "timeout": GUARD_S}
    return {"model": f"openai/{model}", "messages": messages(), **where, **fields}


def chat(server: str = "real", key: str = KEY, retries: int = 0, model: str = MODEL, **fields: Any) -> Any:
    return litellm.completion(**options(server, key, retries, model, fields))


def basic() -> None:
    answer = chat(seed=1, extra_body={"search": {"lookahead": "reuse"}})
    (choice,) = answer.choices
    assert "\\boxed{28}" in choice.message.content
    assert choice.finish_reason == "stop"
    assert asyncio.run(litellm.acompletion(**options("real", KEY, 0, MODEL, {"seed": 1}))).choices[0].message.content


def stream() -> None:
    chunks = list(chat(seed=1, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == chat(seed=1).choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


def usage() -> None:
    whole = chat(seed=1).usage
    assert whole.total_tokens == whole.prompt_tokens + whole.completion_tokens
    assert 0 < whole.completion_tokens_details.reasoning_tokens < whole.completion_tokens
    chunks = list(chat(seed=1, stream=True, stream_options={"include_usage": True}))
    assert determined(chunks[-1].usage) == determined(whole)


def three() -> None:
    assert [choice.index for choice in chat(n=3).choices] == [0, 1, 2]


def stop() -> None:
    assert chat(seed=1, stop=["\n\n"]).choices[0].message.content == "45 - 17 = 28."


def seed_twice() -> None:
    first, second = (chat(seed=9, temperature=1.5, model="stories-generator").choices[0].message.content for _ in range(2))
    assert first == second


def one_token() -> None:
    answer = chat(max_completion_tokens=1)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens - answer.usage.completion_tokens_details.reasoning_tokens == 1


def logprobs() -> None:
    (choice,) = chat(seed=1, logprobs=True).choices
    assert "".join(token["token"] for token in choice.logprobs["content"]) == choice.message.content


def bad_model() -> None:
    assert raised(litellm.NotFoundError, lambda: chat(model="gpt-nothing")).status_code == 404


def bad_key() -> None:
    raised(litellm.AuthenticationError, lambda: chat(key="wrong"))


def too_long() -> None:
    raised(litellm.ContextWindowExceededError, lambda: chat(messages=messages(TOO_LONG)))


def overload() -> None:
    error = raised((litellm.ServiceUnavailableError, litellm.InternalServerError), lambda: chat("overloaded"))
    assert error.status_code in (500, 503)
    chat("overloaded")
    after_retry(lambda: chat("overloaded", retries=1))


def fault() -> None:
    raised((litellm.APIError, litellm.exceptions.MidStreamFallbackError), lambda: list(chat("faulty", stream=True)))


def disconnect() -> None:
    chunks = chat("endless", stream=True)
    next(chunks)
    chunks.completion_stream.close()
    until_nothing_runs()


def tools() -> None:
    add = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    assert "tools" in str(raised(litellm.BadRequestError, lambda: chat(tools=[add])))


def json_format() -> None:
    assert "response_format" in str(raised(litellm.BadRequestError, lambda: chat(response_format={"type": "json_object"})))


def responding(**fields: Any) -> Any:
    return litellm.responses(
        model=f"openai/{MODEL}", input=PROBLEM, api_base=url("real"), api_key=KEY, timeout=GUARD_S, **fields
    )


def responses() -> None:
    answer = responding()
    assert answer.status == "completed"
    assert "\\boxed{28}" in answer.output[-1].content[0].text


def completions() -> None:
    where = {"api_base": url("real"), "api_key": KEY, "timeout": GUARD_S}
    answer = litellm.text_completion(model=f"text-completion-openai/{MODEL}", prompt=PROBLEM, seed=1, **where)
    assert "\\boxed{28}" in answer.choices[0].text


def responses_stream() -> None:
    events = list(responding(stream=True))
    assert str(events[-1].type).endswith("response.completed") or events[-1].type == "response.completed"


report(
    f"litellm {version('litellm')}",
    {
        "models": "it lists models from its own table",
        "basic": basic,
        "stream": stream,
        "usage": usage,
        "n=3": three,
        "stop": stop,
        "seed twice": seed_twice,
        "one token": one_token,
        "logprobs": logprobs,
        "bad model": bad_model,
        "bad key": bad_key,
        "bad JSON": "it builds the body itself",
        "too long": too_long,
        "overload": overload,
        "mid-stream fault": fault,
        "disconnect": disconnect,
        "tools": tools,
        "JSON format": json_format,
        "responses": responses,
        "responses stream": responses_stream,
        "completions": completions,
    },
    otherwise="it is not tried with this client",
)
