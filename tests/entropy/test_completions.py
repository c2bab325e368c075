"""Responses of OpenAI-like servers as traces: the shapes of log probabilities, and what servers put into them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.entropy.completions.traces import traces_of_completions
from epf.entropy.outcome import outcome_of
from epf.entropy.trace import Trace
from epf.entropy.traces import read_rows, traces_of

TOKENS = ["12", " + ", "7", ".\n\n", "So", " 19", "."]
LOGPROBS = [-0.5, -0.06, -1.25, -0.2, -2.0, -0.3, -0.08]
TOPS = [{token: logprob, "other": logprob - 3.0} for token, logprob in zip(TOKENS, LOGPROBS, strict=True)]
TEXT = "".join(TOKENS)
STEPS = ["12 + 7.", "So 19."]
MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "12 + 7?"}]

Row = dict[str, Any]


def listed(
    tokens: list[str] = TOKENS, logprobs: list[Any] = LOGPROBS, tops: list[dict[str, Any]] = TOPS
) -> list[dict[str, Any]]:
    return [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [{"token": name, "logprob": value, "bytes": list(name.encode())} for name, value in top.items()],
        }
        for token, logprob, top in zip(tokens, logprobs, tops, strict=True)
    ]


def parallel() -> dict[str, Any]:
    return {"tokens": TOKENS, "token_logprobs": LOGPROBS, "top_logprobs": TOPS, "text_offset": [0] * len(TOKENS)}


def chat(logprobs: Any, text: str = TEXT, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": logprobs, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice], **more}


def completion(logprobs: Any, text: str = TEXT, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": "stop"}
    return {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice], **more}


def response(logprobs: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": TEXT, "annotations": [], "logprobs": logprobs}]
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": content}]
    return {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": output}


def chat_chunks(usage: bool = True) -> list[dict[str, Any]]:
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "m"}
    first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    parts = [
        {"index": 0, "delta": {"content": one["token"]}, "logprobs": {"content": [one]}, "finish_reason": None}
        for one in listed()
    ]
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    chunks = [{**head, "choices": [choice]} for choice in (first, *parts, last)]
    return [*chunks, {**head, "choices": [], "usage": {"total_tokens": 9}}] if usage else chunks


def text_chunks() -> list[dict[str, Any]]:
    rows = []
    for i, (token, logprob, top) in enumerate(zip(TOKENS, LOGPROBS, TOPS, strict=True)):
        logprobs = {"tokens": [token], "token_logprobs": [logprob], "top_logprobs": [top], "text_offset": [0]}
        end = "stop" if i == len(TOKENS) - 1 else None
        choice = {"index": 0, "text": token, "logprobs": logprobs, "finish_reason": end}
        rows.append({"id": "cmpl-2", "object": "text_completion", "model": "m", "choices": [choice]})
    return rows


def response_events(*, repeated: bool) -> list[dict[str, Any]]:
    deltas = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": one["token"], "logprobs": [one]}
        for one in listed()
    ]
    last = response(listed() if repeated else [])
    return [
        {"type": "response.created", "response": {**last, "output": []}},
        *deltas,
        {"type": "response.output_text.done", "text": TEXT, "logprobs": []},
        {"type": "response.completed", "response": last},
    ]


SHAPES: dict[str, list[dict[str, Any]]] = {
    "chat": [chat({"content": listed(), "refusal": None})],
    "chat with parallel lists": [chat(parallel())],
    "completion": [completion(parallel())],
    "completion with content": [completion({"content": listed()})],
    "response": [response(listed())],
    "chat chunks": chat_chunks(),
    "text chunks": text_chunks(),
    "response events": response_events(repeated=True),
    "response events without a repetition": response_events(repeated=False),
    "response events without an end": response_events(repeated=False)[:-1],
    "batch": [
        {"id": "b", "custom_id": "1", "response": {"status_code": 200, "body": chat({"content": listed()})}, "error": None}
    ],
    "log": [{"request": {"messages": MESSAGES}, "response": chat({"content": listed()})}],
}


@pytest.mark.parametrize("rows", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_gives_the_same_trace(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    (trace,) = traces_of_completions(enumerate(rows))
    assert trace.steps == STEPS
    assert trace.logprobs == [LOGPROBS[:4], LOGPROBS[4:]]
    assert trace.top_logprobs == [[[a, a - 3.0] for a in LOGPROBS[:4]], [[a, a - 3.0] for a in LOGPROBS[4:]]]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert traces_of(read_rows(path)) == [trace]
    path.write_text(json.dumps(rows), encoding="utf-8-sig")
    assert traces_of(read_rows(path)) == [trace]
    outcome = outcome_of("tokens", json.dumps({"completions": rows, "vocabulary": 1000}).encode())
    assert outcome.answer is not None
    assert json.loads(outcome.answer)["n_tokens"] == len(TOKENS)


def test_a_saved_stream_of_events_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stream.txt"
    lines = [f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chat_chunks()]
    path.write_text(": comment\n\nevent: message\n" + "".join(lines) + "data: [DONE]\n\n", encoding="utf-8", newline="")
    (trace,) = traces_of(read_rows(path))
    assert (trace.steps, trace.logprobs) == (STEPS, [LOGPROBS[:4], LOGPROBS[4:]])


def test_streams_are_taken_apart_by_id_choice_and_end() -> None:
    one, other = chat_chunks(), [{**chunk, "id": "another"} for chunk in chat_chunks(usage=False)]
    second = [
        {**chunk, "choices": [{**choice, "index": 1} for choice in chunk["choices"]]} for chunk in chat_chunks(usage=False)
    ]
    mixed = [chunk for pair in zip(one, other, second, strict=False) for chunk in pair]
    assert [trace.steps for trace in traces_of_completions(enumerate(mixed))] == [STEPS] * 3
    again = [*chat_chunks(usage=False), *chat_chunks(usage=False), *text_chunks(), *text_chunks()]
    assert [trace.steps for trace in traces_of_completions(enumerate(again))] == [STEPS] * 4
    same_id = [completion(parallel()), completion(parallel())]
    assert len(traces_of_completions(enumerate(same_id))) == 2
    twice = [*response_events(repeated=False), *response_events(repeated=True)]
    assert [trace.steps for trace in traces_of_completions(enumerate(twice))] == [STEPS] * 2


def as_chat(logprobs: list[Any]) -> Row:
    return chat({"content": listed(logprobs=logprobs)})


def as_completion(logprobs: list[Any]) -> Row:
    return completion({**parallel(), "token_logprobs": logprobs})


@pytest.mark.parametrize("wrap", [as_chat, as_completion])
@pytest.mark.parametrize("value", [None, -math.inf, math.nan, -9999.0, -99999.0, "-inf", "-9999.0", "-Infinity"])
def test_log_probabilities_that_are_not_reported_are_null(wrap: Callable[[list[Any]], Row], value: Any) -> None:
    (trace,) = traces_of_completions([(0, wrap([value, *LOGPROBS[1:]]))])
    assert trace.logprobs == [[None, *LOGPROBS[1:4]], LOGPROBS[4:]]
    sent = json.dumps({"completions": [wrap([value, *LOGPROBS[1:]])], "form": "released"}).encode()
    outcome = outcome_of("tokens", sent)
    if isinstance(value, float) and not math.isfinite(value):
        assert outcome.bug is None  # JSON has no such number; a file may have it all the same
        return
    assert outcome.answer is not None
    found = json.loads(outcome.answer)
    assert found["n_tokens"] == len(TOKENS) - 1
    assert abs(found["change"]) < 10
    assert any("1 tokens have no log probability" in warning for warning in found["warnings"])


def test_lists_of_likely_tokens_lose_what_is_not_reported_and_what_is_repeated() -> None:
    entries = listed()
    sampled = {key: entries[0][key] for key in ("token", "logprob", "bytes")}
    entries[0]["top_logprobs"] += [sampled, {"token": "x", "logprob": -9999.0}, {"token": "y", "logprob": None}]
    (trace,) = traces_of_completions([(0, chat({"content": entries}))])
    assert trace.top_logprobs is not None
    assert trace.top_logprobs[0][0] == [LOGPROBS[0], LOGPROBS[0] - 3.0]
    unlike = [{"token": "�", "logprob": -1.0, "bytes": [byte]} for byte in (200, 201)]
    entries[0]["top_logprobs"] = unlike  # two tokens with one spelling and one probability
    (trace,) = traces_of_completions([(0, chat({"content": entries}))])
    assert trace.top_logprobs is not None
    assert trace.top_logprobs[0][0] == [-1.0, -1.0]


def test_half_characters_special_tokens_and_ids_stay_with_their_step() -> None:
    euro = "€".encode()
    parts = [b"<|start|>", euro[:1], euro[1:], b" 5\n", b"\n", b"ok", b"<|im_end|>"]
    entries = [
        {"token": part.decode(errors="replace"), "logprob": -0.5, "bytes": list(part), "top_logprobs": []} for part in parts
    ]
    row = chat({"content": entries}, text="€ 5\n\nok")
    row["choices"][0]["token_ids"] = list(range(7))
    (trace,) = traces_of_completions([(0, row)])
    assert trace.steps == ["€ 5", "ok"]
    assert trace.token_ids == [[0, 1, 2, 3, 4], [5, 6]]
    for entry in entries:
        del entry["bytes"]
    (trace,) = traces_of_completions([(0, chat({"content": entries}, text="€ 5\n\nok"))])
    assert trace.logprobs == [[-0.5] * 5, [-0.5] * 2]
    named = {"tokens": ["token_id:7", "token_id:8"], "token_logprobs": [-0.1, -0.2], "top_logprobs": None}
    (trace,) = traces_of_completions([(0, completion(named, text="a\n\nb"))])
    assert (trace.steps, trace.token_ids) == (["a\n\nb"], [[7, 8]])  # nothing says where the tokens are


def test_problems_come_from_the_request_and_a_repeated_prompt_is_taken_off() -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "12 + 7?"}]}]
    for request in ({"messages": MESSAGES}, {"messages": parts}, {"problem": "12 + 7?"}, {"input": "12 + 7?"}):
        (trace,) = traces_of_completions([(0, {**chat(None), **request})])
        assert (trace.problem, trace.steps, trace.logprobs) == ("12 + 7?", STEPS, None)
    echoed = {"tokens": ["Q: ", *TOKENS], "token_logprobs": [None, *LOGPROBS], "top_logprobs": [None, *TOPS]}
    (trace,) = traces_of_completions([(0, completion(echoed, text="Q: " + TEXT, prompt="Q: "))])
    assert (trace.problem, trace.steps, trace.logprobs) == ("Q: ", STEPS, [LOGPROBS[:4], LOGPROBS[4:]])


def test_reasoning_is_part_of_the_text() -> None:
    tokens = ["<think>", "Hm", "</think>", "\n\n", "19"]
    entries = listed(tokens, [-0.1, -0.2, -0.3, -0.4, -0.5], [{}] * 5)
    row = chat({"content": entries}, text="19")
    row["choices"][0]["message"]["reasoning_content"] = "Hm"
    (trace,) = traces_of_completions([(0, row)])
    assert (trace.steps, trace.logprobs) == (["Hm", "19"], [[-0.1, -0.2, -0.3, -0.4], [-0.5]])


def test_messages_of_several_parts_are_read_like_texts() -> None:
    """As Mistral's reasoning models and some gateways send them, also in streams."""
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "Add."}], "closed": True}
    parts = [thoughts, {"type": "text", "text": TEXT}]
    whole = chat({"content": listed()})
    whole["choices"][0]["message"]["content"] = parts
    deltas: list[Row] = [{"role": "assistant", "content": ""}, {"content": [thoughts]}]
    deltas += [{"content": [{"type": "text", "text": token}]} for token in TOKENS]
    choices: list[Row] = [{"index": 0, "delta": delta} for delta in deltas]
    choices[-1] |= {"logprobs": {"content": listed()}, "finish_reason": "stop"}
    chunks: list[Row] = [{"id": "s", "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
    for rows in ([whole], chunks):
        (trace,) = traces_of_completions(list(enumerate(rows)))
        assert trace.steps == ["Add.", *STEPS]
        assert trace.logprobs == [[], LOGPROBS[:4], LOGPROBS[4:]]


def test_errors_and_empty_responses_give_no_tokens() -> None:
    failed = {"id": "b", "custom_id": "1", "response": None, "error": {"message": "no"}}
    assert traces_of_completions([(0, failed), (1, {"error": {"message": "no"}})]) == []
    assert traces_of_completions([(0, chat(None, text=""))]) == [Trace(labels={"model": "m", "finish_reason": "stop"})]
    assert traces_of_completions([(0, chat({"content": []}))])[0].logprobs is None
    only_logprobs = traces_of_completions([(0, chat({"content": listed(tops=[{}] * 7)}))])[0]
    assert only_logprobs.top_logprobs is None


@pytest.mark.parametrize(
    ("row", "param"),
    [
        (chat({"content": listed(logprobs=[True, *LOGPROBS[1:]])}), "completions.0.choices.0.logprobs.content.0.logprob"),
        (chat({"content": listed(logprobs=[0.7, *LOGPROBS[1:]])}), "completions.0.choices.0.logprobs.content.0.logprob"),
        (chat({"content": listed(logprobs=["likely", *LOGPROBS[1:]])}), "completions.0.choices.0.logprobs.content.0.logprob"),
        (chat({"content": ["a"]}), "completions.0.choices.0.logprobs.content.0"),
        (chat({"content": 1}), "completions.0.choices.0.logprobs.content"),
        (chat(7), "completions.0.choices.0.logprobs"),
        (
            chat({"content": listed(tops=[{"a": True}] * 7)}),
            "completions.0.choices.0.logprobs.content.0.top_logprobs.0.logprob",
        ),
        (completion({**parallel(), "token_logprobs": [-0.1]}), "completions.0.choices.0.logprobs.token_logprobs"),
        (completion({**parallel(), "top_logprobs": [{"a": {}}] * 7}), "completions.0.choices.0.logprobs.top_logprobs.0.a"),
        ({"choices": [1]}, "completions.0.choices.0"),
        ({"object": "list"}, "completions.0"),
        (chat({"content": listed(logprobs=[10**400, *LOGPROBS[1:]])}), "completions.0.choices.0.logprobs.content.0.logprob"),
        (chat(None, text="a\n\n" * 10_001), "completions"),
    ],
)
def test_what_is_not_a_response_is_refused(row: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        traces_of_completions([(0, row)])
    assert refused.value.param == param
    assert outcome_of("tokens", json.dumps({"completions": [row]}).encode()).refusal is not None


def test_ids_and_indices_of_any_type_are_read() -> None:
    for odd in ([1], {"a": 1}, None, True):
        chunks = [
            {**chunk, "id": odd, "choices": [{**choice, "index": odd} for choice in chunk["choices"]]}
            for chunk in chat_chunks()
        ]
        (trace,) = traces_of_completions(enumerate(chunks))
        assert trace.steps == STEPS
        events = [{**event, "output_index": odd} for event in response_events(repeated=False)]
        assert traces_of_completions(enumerate(events))[0].steps == STEPS


def native_stream(pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**piece, "done": False} for piece in pieces] + [{"model": "m", "done": True, "done_reason": "stop", **EMPTY}]


EMPTY = {"message": {"role": "assistant", "content": ""}}
TRIPLES = [[logprob, i, token] for i, (token, logprob) in enumerate(zip(TOKENS, LOGPROBS, strict=True))]
TOP_TRIPLES = [[[value, 0, name] for name, value in top.items()] for top in TOPS]
TGI = [{"id": i, "text": token, "logprob": logprob, "special": False} for logprob, i, token in TRIPLES]
TGI_TOPS = [[{"id": 0, "text": name, "logprob": value} for name, value in top.items()] for top in TOPS]
META = {"id": "a", "finish_reason": {"type": "stop"}, "output_token_logprobs": TRIPLES, "output_top_logprobs": TOP_TRIPLES}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            [{"model": "m", **EMPTY, "message": {"content": TEXT}, "done": True, "logprobs": listed()}], id="Ollama chat"
        ),
        pytest.param([{"model": "m", "response": TEXT, "done": True, "logprobs": listed()}], id="Ollama generate"),
        pytest.param(
            native_stream(
                [
                    {"model": "m", "message": {"content": token}, "logprobs": [entry]}
                    for token, entry in zip(TOKENS, listed(), strict=True)
                ]
            ),
            id="Ollama stream",
        ),
        pytest.param([{"content": TEXT, "stop": True, "completion_probabilities": listed()}], id="llama.cpp"),
        pytest.param(
            [
                {"content": token, "stop": False, "completion_probabilities": [entry]}
                for token, entry in zip(TOKENS, listed(), strict=True)
            ],
            id="llama.cpp stream",
        ),
        pytest.param([{"text": TEXT, "meta_info": META}], id="SGLang"),
        pytest.param(
            [
                {"text": "12 +", "meta_info": {**META, "output_token_logprobs": TRIPLES[:2], "output_top_logprobs": []}},
                {"text": TEXT, "meta_info": META},
            ],
            id="SGLang stream",
        ),
        pytest.param([{"generated_text": TEXT, "details": {"tokens": TGI, "top_tokens": TGI_TOPS}}], id="TGI"),
        pytest.param(
            [
                {
                    "request": {"messages": MESSAGES},
                    "response": {"model": "m", "response": TEXT, "done": True, "logprobs": listed()},
                }
            ],
            id="a log of Ollama",
        ),
    ],
)
def test_servers_own_responses_are_read_like_those_of_the_openai_api(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "native.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (trace,) = traces_of(read_rows(path))
    (expected,) = traces_of_completions([(0, chat({"content": listed()}))])
    assert (trace.steps, trace.logprobs, trace.top_logprobs) == (expected.steps, expected.logprobs, expected.top_logprobs)


def test_two_results_of_one_server_stay_apart() -> None:
    row = {"response": TEXT, "done": True, "logprobs": listed()}
    assert len(traces_of_completions(enumerate([row, row]))) == 2
    assert len(traces_of_completions(enumerate([{"text": TEXT, "meta_info": {**META, "id": name}} for name in "ab"]))) == 2


def reasoned(logprobs: Row) -> Row:
    row = chat(logprobs)
    row["choices"][0]["message"]["reasoning_content"] = "12 and 7.\n\nAdd."
    return row


THOUGHT = ["12", " and", " 7.", "\n\n", "Add", "."]


def test_the_log_probabilities_of_reasoning_belong_to_it() -> None:
    thoughts = listed(THOUGHT, [-1.0] * 6, [{"z": -2.0}] * 6)
    (trace,) = traces_of_completions([(0, reasoned({"content": listed(), "reasoning_content": thoughts}))])
    assert trace.steps == ["12 and 7.", "Add.", *STEPS]
    assert trace.logprobs == [[-1.0] * 4, [-1.0] * 2, LOGPROBS[:4], LOGPROBS[4:]]
    together = [*thoughts, *listed()]  # vLLM lists the tokens of both as one
    (trace,) = traces_of_completions([(0, reasoned({"content": together}))])
    assert trace.logprobs == [[-1.0] * 4, [-1.0] * 2, LOGPROBS[:4], LOGPROBS[4:]]


def test_reasoning_without_log_probabilities_takes_none_from_the_answer() -> None:
    (trace,) = traces_of_completions([(0, reasoned({"content": listed()}))])
    assert trace.logprobs == [[], [], LOGPROBS[:4], LOGPROBS[4:]]


def test_a_stream_of_reasoning_keeps_both_lists() -> None:
    def piece(name: str, token: str, entry: Row) -> Row:
        other = "content" if name == "reasoning_content" else "reasoning_content"
        choice = {"index": 0, "delta": {name: token, other: None}, "logprobs": {name: [entry], other: None}}
        return {"id": "s", "object": "chat.completion.chunk", "choices": [choice]}

    thoughts = listed(THOUGHT, [-1.0] * 6, [{"z": -2.0}] * 6)
    rows = [piece("reasoning_content", token, entry) for token, entry in zip(THOUGHT, thoughts, strict=True)]
    rows += [piece("content", token, entry) for token, entry in zip(TOKENS, listed(), strict=True)]
    (trace,) = traces_of_completions(enumerate(rows))
    assert trace.logprobs == [[-1.0] * 4, [-1.0] * 2, LOGPROBS[:4], LOGPROBS[4:]]


def test_tokens_that_are_no_text_are_named_by_their_bytes() -> None:
    named = {
        "tokens": ["5", "bytes: \\xe2\\x82", "bytes:\\xac", "\n\n", "ok"],
        "token_logprobs": [-0.1, -0.2, -0.3, -0.4, -0.5],
    }
    (trace,) = traces_of_completions([(0, completion(named, text="5 €\n\nok"))])
    assert trace.logprobs == [[-0.1, -0.2, -0.3, -0.4], [-0.5]]


def test_names_of_ids_are_no_text_even_where_their_bytes_say_so() -> None:
    """vLLM with `return_tokens_as_token_ids` sends the bytes of the name."""
    entries = [
        {"token": f"token_id:{i}", "logprob": -0.5, "bytes": list(f"token_id:{i}".encode()), "top_logprobs": []}
        for i in range(3)
    ]
    (trace,) = traces_of_completions([(0, chat({"content": entries}, text="a\n\nb"))])
    assert (trace.steps, trace.token_ids, trace.logprobs) == (["a\n\nb"], [[0, 1, 2]], [[-0.5] * 3])


def test_stand_ins_are_not_log_probabilities() -> None:
    entries = listed(["a", "b"], [-100.0, -9999.0], [{"a": -100.0, "c": -0.5}, {"b": -9999.0, "c": -0.25}])
    (trace,) = traces_of_completions([(0, chat({"content": entries}, text="ab"))])
    assert trace.logprobs == [[None, None]]
    assert trace.top_logprobs == [[[-0.5], [-0.25]]]
