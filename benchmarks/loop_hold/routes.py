"""The worst bodies that are valid, or nearly so, route by route. A route that is not here fails the benchmark."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.loop_hold.bodies import filled, of_any_route, of_fields, of_rows, of_texts, sent_badly
from benchmarks.loop_hold.request import Attack
from epf.entropy.registry import TOOLS

REPORT: Final = "/entropy/{tool}/report"
ENTROPY: Final = [*(tool.endpoint for tool in TOOLS.values()), REPORT]
PROBLEM: Final = "There are 45 birds on a wire. 17 fly away. How many are left?"
CHINESE: Final = "\u65e5"
RECEIVED: Final = ("/solve", "/score", ENTROPY[0])
"""Routes to which bodies are sent that are bad for any route; those of all routes are received and parsed alike."""
LONG: Final[dict[str, Any]] = {"n_particles": 128, "max_steps": 12, "max_tokens_per_step": 48, "separator": "", "seed": 1}
"""A search with a large result. Without a separator, every step has its maximum of tokens."""

VALID: Final[Mapping[str, Mapping[str, Any]]] = {
    "/solve": {"problem": PROBLEM, "n_particles": 2, "seed": 1},
    "/solve/batch": {"problems": [PROBLEM], "n_particles": 2, "seed": 1},
    "/score": {"problem": PROBLEM, "steps": ["45 - 17 = 28."]},
    "/v1/chat/completions": {"model": "epf-2", "messages": [{"role": "user", "content": PROBLEM}], "seed": 1},
    "/v1/completions": {"model": "epf-2", "prompt": PROBLEM, "seed": 1},
    "/v1/responses": {"model": "epf-2", "input": PROBLEM},
    "/v1/responses/{response_id}/cancel": {},
    "/mathml": {"latex": ["x"]},
    **{tool.endpoint: tool.example for tool in TOOLS.values()},
    REPORT: {"file": json.dumps(TOOLS["ranking"].example)},
}
"""A small valid body of every route."""

TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "/solve": ('{"problem":TEXT}', '{"problem":"a","system_prompt":TEXT}'),
    "/solve/batch": ('{"problems":[TEXT]}',),
    "/score": ('{"problem":TEXT,"steps":["a"]}', '{"problem":"a","steps":[TEXT]}'),
    "/v1/chat/completions": (
        '{"model":"epf-2","messages":[{"role":"user","content":TEXT}]}',
        '{"model":"epf-2","messages":[{"role":"user","content":[{"type":"text","text":TEXT}]}]}',
    ),
    "/v1/completions": ('{"model":"epf-2","prompt":TEXT}',),
    "/v1/responses": ('{"model":"epf-2","input":TEXT}', '{"model":"epf-2","input":"a","instructions":TEXT}'),
}
"""Bodies with one text."""


def attacks_of(path: str, fields: Mapping[str, Any], limit: int) -> Iterator[Attack]:
    """All bodies for a route.

    Args:
        path: the path of the route as the document of the server names it.
        fields: the schemas of the fields of its body.
        limit: maximum size of a body in bytes.

    Raises:
        KeyError: nobody has thought about this route.
    """
    valid = VALID[path]
    yield Attack("a small valid body", json.dumps(valid).encode())
    if path.startswith("/entropy/"):
        turn = ENTROPY.index(path)
        yield from of_rows(fields, limit, 2 * turn)
        yield from _large(path, limit)
    else:
        yield from of_fields(fields, limit)
        for template in TEMPLATES.get(path, ()):
            yield from of_texts(template, 20_000)
        yield from _of_route(path, limit)
    if path in RECEIVED:
        yield from of_any_route(fields, limit)
        for template in TEMPLATES.get(path, ())[:1]:
            yield from of_texts(template, limit)
        yield from sent_badly(valid, limit)


def _of_route(path: str, limit: int) -> Iterator[Attack]:
    def body(name: str, **fields: Any) -> Attack:
        return Attack(name, json.dumps({**VALID[path], **fields}, ensure_ascii=False).encode())

    turn = {"role": "user", "content": "a" * (limit // 64 - 60)}
    chinese = {"role": "user", "content": CHINESE * ((limit // 64 - 60) // 3)}
    words = {"role": "user", "content": "I have 3 apples. " * ((limit // 64 - 60) // 17)}
    short = {"role": "user", "content": "a"}
    parts = {"role": "user", "content": [{"type": "text", "text": "a"}] * 1300}
    match path:
        case "/solve":
            yield body("128 particles in one piece", **LONG, return_particles=True)
            yield body("128 particles as a stream", **LONG, return_particles=True, stream=True)
        case "/solve/batch":
            yield body("64 problems with all particles", problems=[PROBLEM] * 64, n_particles=2, return_particles=True)
            yield body("64 long problems", problems=["a" * (limit // 64 - 10)] * 64)
            yield body("64 Chinese problems", problems=[CHINESE * ((limit // 64 - 10) // 3)] * 64)
            yield body("64 problems of words", problems=["I have 3 apples. " * ((limit // 64 - 10) // 17)] * 64)
            yield body("64 objects", problems=[{"problem": "a", "custom_id": "a" * 3000}] * 64)
        case "/score":
            yield body("200 steps", steps=["45 - 17 = 28."] * 200)
            yield body("13 long steps", steps=["I have 3 apples. " * 1100] * 13)
            yield body("13 Chinese steps", steps=[CHINESE * 6000] * 13)
        case "/v1/chat/completions" | "/v1/responses":
            name = "messages" if path.endswith("completions") else "input"
            yield body("64 long messages", **{name: [turn] * 64})
            yield body("64 long messages of words", **{name: [words] * 64})
            yield body("64 Chinese messages", **{name: [chinese] * 64})
            yield body("2000 messages", **{name: [short] * 2000})
            yield body("1300 parts", **{name: [parts]})
            yield body("tools", tools=[{"type": "function", "function": {"name": "a", "parameters": {}}}] * 800)
            yield body("metadata", metadata={f"k{i}": "v" * 50 for i in range(4000)})
            yield body("many ignored fields", **{f"k{i}": 1 for i in range(4000)})
            yield body("unknown search options", search={f"k{i}": 1 for i in range(4000)})
            yield body(
                "32 particles", search={**LONG, "n_particles": 32, "method": "epf", "return_particles": True}, model="epf"
            )
            if path.endswith("completions"):
                chosen = {"n": 16, "search": {"return_particles": True}, "logprobs": True}
                yield body("16 choices as a stream", **chosen, stream=True, stream_options={"include_usage": True})
                yield body("16 choices", **chosen)
                yield body("messages without content", messages=[{"role": "user"}] * 2000)
                yield body("messages of a tool", messages=[{"role": "tool", "content": "a"}] * 2000)
            else:
                yield body("as a stream", stream=True, reasoning={"summary": "auto"})
        case "/mathml":
            yield body("32 formulas", latex=[r"\frac{a}{b}" * 11] * 32)
            yield body("nested formulas", latex=[r"\sqrt{" * 60 + "x" + "}" * 60] * 8)
            yield body("open braces", latex=["{" * 500] * 8)
        case "/v1/completions":
            yield body("64 long prompts", prompt=["a" * (limit // 64 - 10)] * 64)
            yield body("64 Chinese prompts", prompt=[CHINESE * ((limit // 64 - 10) // 3)] * 64)
            yield body("128 prompts", prompt=[PROBLEM] * 128, model="epf-1", max_tokens=16)


def _large(path: str, limit: int) -> Iterator[Attack]:
    """Inputs that are valid or nearly so, and whose results are large."""
    row = "[" + ",".join(["0.25"] * 64) + "]"
    match path:
        case "/entropy/coupling":
            rows = "[" + ",".join([row] * 1200) + "]"
            yield Attack("large matrices", ('{"x":' + rows + ',"y":' + rows + ',"matrices":true}').encode())
        case "/entropy/attention":
            yield Attack("many heads", filled('{"row_entropies":[[', row, "]]}", limit))
        case "/entropy/tokens":
            yield Attack("many tokens", filled('{"logprobs":[', "[" + ",".join(["-0.25"] * 64) + "]", "]}", limit))
        case "/entropy/reconstruction":
            column = "[" + ",".join(["1", "2"] * 500) + "]"
            columns = ",".join(f'"c{i}":{column}' for i in range(limit // (len(column) + 12)))
            yield Attack("many columns", ('{"columns":{' + columns + '},"target":"c0"}').encode())
        case "/entropy/maxent":
            yield Attack("many chains", filled('{"chains":[', '["a","b","c","d"]', "]}", limit))
            states = ",".join(f'["s{i}","s{i + 1}"]' for i in range(limit // 24))
            yield Attack("many states", ('{"chains":[' + states + "]}").encode())
        case "/entropy/features":
            yield Attack("many codes", filled('{"activations":[', row, "]}", limit))
        case "/entropy/ranking":
            yield Attack(
                "many lists",
                filled('{"student_scores":[', "[1,2,3]", "],", limit // 2)
                + filled('"teacher_scores":[', "[1,2,3]", "]}", limit // 2),
            )
        case "/entropy/rate-distortion":
            yield Attack("many vectors", filled('{"vectors":[', row, "]}", limit))
        case "/entropy/epiplexity":
            yield Attack("many sequences", filled('{"sequences":[', "[1,2,3,4]", "]}", limit))
        case "/entropy/{tool}/report":
            trace = r"{\"scores\":[0.5]}\n"
            yield Attack("a file of many traces", ('{"file":"' + trace * ((limit - 20) // len(trace)) + '"}').encode())
