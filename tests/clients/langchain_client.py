"""langchain-openai: invoke, stream, stream_usage."""

import asyncio
from importlib.metadata import version
from typing import Any

import openai
from cases import GUARD_S, KEY, MODEL, PROBLEM, TOO_LONG, after_retry, raised, report, until_nothing_runs, url
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI


def chat(server: str = "real", key: str = KEY, retries: int = 0, model: str = MODEL, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=model, base_url=url(server), api_key=key, max_retries=retries, timeout=GUARD_S, use_responses_api=False, **options
    )


def models() -> None:
    chat().root_client.models.list()


def basic() -> None:
    reply = chat(seed=1, extra_body={"search": {"lookahead": "reuse"}}).invoke([("system", "Solve it."), ("human", PROBLEM)])
    assert reply.text
    assert reply.response_metadata["finish_reason"] == "stop"
    assert reply.response_metadata["model_name"] == MODEL
    assert reply.response_metadata["system_fingerprint"].startswith("epf-")
    assert reply.id.startswith("chatcmpl-") or reply.response_metadata["id"].startswith("chatcmpl-")
    assert "\\boxed{28}" in asyncio.run(chat(seed=1).ainvoke(PROBLEM)).text


def stream() -> None:
    chunks = list(chat(seed=1).stream(PROBLEM))
    assert "".join(chunk.text for chunk in chunks) == chat(seed=1).invoke(PROBLEM).text
    assert [chunk.response_metadata["finish_reason"] for chunk in chunks if "finish_reason" in chunk.response_metadata] == [
        "stop"
    ]


def determined(usage: Any) -> tuple[int, int]:
    """As in cases, in the words of LangChain."""
    return usage["input_tokens"], usage["output_tokens"] - usage["output_token_details"]["reasoning"]


def usage() -> None:
    whole = chat(seed=1).invoke(PROBLEM).usage_metadata
    assert whole["total_tokens"] == whole["input_tokens"] + whole["output_tokens"]
    assert whole["output_token_details"]["reasoning"] > 0
    chunks = list(chat(seed=1, stream_usage=True).stream(PROBLEM))
    (streamed,) = (chunk.usage_metadata for chunk in chunks if chunk.usage_metadata)
    assert determined(streamed) == determined(whole)
    assert not [chunk for chunk in chat(seed=1, stream_usage=False).stream(PROBLEM) if chunk.usage_metadata]


def three() -> None:
    (reply,) = chat(n=3, seed=2).generate([[HumanMessage(PROBLEM)]]).generations
    assert len(reply) == 3
    assert reply[0].text == chat(seed=2).invoke(PROBLEM).text


def stop() -> None:
    assert chat(seed=1).invoke(PROBLEM, stop=["\n\n"]).text == "45 - 17 = 28."


def seed_twice() -> None:
    first, second = (chat(seed=9, temperature=1.5, model="stories-generator").invoke(PROBLEM).text for _ in range(2))
    assert first == second


def one_token() -> None:
    reply = chat(max_tokens=1).invoke(PROBLEM)
    assert reply.response_metadata["finish_reason"] == "length"
    assert reply.usage_metadata["output_tokens"] - reply.usage_metadata["output_token_details"]["reasoning"] == 1


def logprobs() -> None:
    reply = chat(logprobs=True, seed=1).invoke(PROBLEM)
    assert "".join(token["token"] for token in reply.response_metadata["logprobs"]["content"]) == reply.text


def bad_model() -> None:
    assert raised(openai.NotFoundError, lambda: chat(model="gpt-4o").invoke(PROBLEM)).code == "model_not_found"


def bad_key() -> None:
    assert raised(openai.AuthenticationError, lambda: chat(key="wrong").invoke(PROBLEM)).code == "invalid_api_key"


def too_long() -> None:
    assert raised(openai.BadRequestError, lambda: list(chat().stream(TOO_LONG))).code == "context_length_exceeded"


def overload() -> None:
    raised(openai.InternalServerError, lambda: chat("overloaded").invoke(PROBLEM))
    chat("overloaded").invoke(PROBLEM)
    after_retry(lambda: chat("overloaded", retries=1).invoke(PROBLEM))


def fault() -> None:
    assert raised(openai.APIError, lambda: list(chat("faulty").stream(PROBLEM))).code == "generator_error"


def disconnect() -> None:
    chunks = chat("endless").stream(PROBLEM)
    next(chunks)
    chunks.close()
    until_nothing_runs()


def tools() -> None:
    add = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    assert raised(openai.BadRequestError, lambda: chat().bind_tools([add]).invoke(PROBLEM)).param == "tools"


def json_format() -> None:
    schema = {"type": "object", "title": "answer", "properties": {"answer": {"type": "number"}}}
    asked = chat().with_structured_output(schema, method="json_schema")
    assert raised(openai.BadRequestError, lambda: asked.invoke(PROBLEM)).param == "response_format"


def responding(**options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODEL, base_url=url("real"), api_key=KEY, max_retries=0, timeout=GUARD_S, use_responses_api=True, **options
    )


def responses() -> None:
    reply = responding().invoke(PROBLEM)
    assert "\\boxed{28}" in reply.text
    assert reply.usage_metadata["total_tokens"] > 0


def responses_stream() -> None:
    assert "\\boxed{28}" in "".join(chunk.text for chunk in responding().stream(PROBLEM))


report(
    f"langchain-openai {version('langchain-openai')}",
    {
        "models": models,
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
    },
    otherwise="it has no such call",
)
