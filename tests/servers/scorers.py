"""Servers of reward models as people start them, with what they respond: the commands of docs/models.md and of their tests.

None of these models is small enough for a test, so each server is a recorded conversation, made from the documentation that
``source`` names. The same routes on running servers: ``tests/vllm/test_reward_models.py`` and ``tests/real``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from epf.reward_models.families.by_text import TEXT_FAMILIES
from tests.engines.http.server import Answer, Request

Script = Callable[[Request, str, Tokenizer | None], Answer]
"""The response to a request, given the name of the model and its tokenizer."""

SURE = 2.0
"""Log odds of "right" for a solution without the wrong number, and of "wrong" for others."""

WRONG = "62"
"""The wrong number of :mod:`epf.reward_models.probe`."""

UNKNOWN = Answer({"detail": "Not Found"}, 404)


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to serve a reward model.

    Attributes:
        title: models and server.
        start: command that starts the server.
        use: command of this package that searches with it.
        source: documentation of the responses.
        model: name of the model on the server.
        script: the server; None for that of this package.
        tokenizer: stand-in for the model's tokenizer, if it is found on the hub by its name.
    """

    title: str
    start: str
    use: str
    source: str
    model: str
    script: Script | None
    tokenizer: str | None = None


def odds(text: str) -> float:
    """Log odds that a solution is right."""
    return -SURE if WRONG in text else SURE


def _usage(n: int) -> dict[str, Any]:
    return {"prompt_tokens": n, "total_tokens": n + 1, "completion_tokens": 1, "prompt_tokens_details": None}


def _models(model: str, **more: Any) -> Answer:
    return Answer({"object": "list", "data": [{"id": model, "object": "model", "created": 1764547200, **more}]})


def vllm_pooling(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
    """A head at every token, two values each: ``PoolingResponse``."""
    assert tokenizer is not None
    if request.path == "/v1/models":
        return _models(model, owned_by="vllm", root=model, parent=None, max_model_len=4096)
    if request.path != "/pooling":
        return UNKNOWN
    value = odds(tokenizer.decode(request.body["input"]))
    row = [-value / 2, value / 2]
    if request.body["use_activation"]:
        row = [1 / (1 + math.exp(value)), 1 / (1 + math.exp(-value))]
    n = len(request.body["input"])
    data = [{"index": 0, "object": "pooling", "data": [[0.1, -0.1]] * (n - 1) + [row]}]
    return Answer({"id": "pool-1", "object": "list", "created": 1, "model": model, "data": data, "usage": _usage(n)})


def skywork_plugin(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
    """vLLM 0.6.4 with Skywork's plugin: the rewards of all tokens as one embedding."""
    assert tokenizer is not None
    if request.path == "/v1/models":
        return _models(model, owned_by="vllm", root=model, parent=None, max_model_len=4096)
    if request.path != "/v1/embeddings":
        return UNKNOWN
    rewards = [0.1] * (len(request.body["input"]) - 1) + [odds(tokenizer.decode(request.body["input"]))]
    data = [{"index": 0, "object": "embedding", "embedding": rewards}]
    return Answer({"id": "embd-1", "object": "list", "created": 1, "model": model, "data": data, "usage": {"prompt_tokens": 9}})


def vllm_next_token(family: str) -> Script:
    """A language model that answers with one of two tokens, by ids."""

    def script(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
        assert tokenizer is not None
        if request.path == "/v1/models":
            return _models(model, owned_by="vllm", root=model, parent=None, max_model_len=4096)
        if request.path != "/v1/completions":
            return UNKNOWN
        ids = [tokenizer.token_to_id(answer) for answer in TEXT_FAMILIES[family].answers]
        top = dict(zip((f"token_id:{id_}" for id_ in ids), _two(tokenizer.decode(request.body["prompt"])), strict=True))
        logprobs = {"text_offset": [0], "token_logprobs": [max(top.values())], "tokens": [max(top, key=top.__getitem__)]}
        choice = {"index": 0, "text": "+", "logprobs": {**logprobs, "top_logprobs": [top]}, "finish_reason": "length"}
        n = len(request.body["prompt"])
        return Answer({"id": "cmpl-1", "object": "text_completion", "model": model, "choices": [choice], "usage": _usage(n)})

    return script


def llama_cpp(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
    """``llama-server``, by text: log probabilities in the shape of chat completions on both routes, with ids and bytes."""
    if request.path == "/v1/models":
        return _models(model, owned_by="llamacpp", meta={"n_ctx_train": 4096, "n_params": 7241732096})
    if request.path not in ("/v1/completions", "/v1/chat/completions"):
        return Answer({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, 404)
    family = "rlhflow" if "messages" in request.body else "math-shepherd"
    content = [_entry(family, str(request.body))]
    choice = {"index": 0, "text": "+", "message": {"role": "assistant", "content": "+"}, "logprobs": {"content": content}}
    usage = {"prompt_tokens": 60, "completion_tokens": 1, "total_tokens": 61, "prompt_tokens_details": {"cached_tokens": 40}}
    return Answer({"choices": [choice | {"finish_reason": "length"}], "model": model, "object": "x", "usage": usage})


def ollama(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
    """Ollama 0.12.11 and newer: its own routes return log probabilities, those like OpenAI's do not."""
    if request.path == "/v1/models":
        return Answer({"object": "list", "data": [_ollama(model), _ollama("qwen3:8b")]})
    if request.path == "/api/generate":
        assert request.body["raw"]
        said: dict[str, Any] = {"response": " +", "logprobs": [_entry("math-shepherd", request.body["prompt"])]}
    elif request.path == "/api/chat":
        said = {"message": {"role": "assistant", "content": _reply(request)}, "logprobs": _verdict(request)}
    elif request.path in ("/v1/completions", "/v1/chat/completions"):
        message = {"role": "assistant", "content": "I cannot say."}
        choice = {"index": 0, "message": message, "text": " I", "finish_reason": "length"}
        return Answer({"id": "chatcmpl-1", "model": model, "choices": [choice], "usage": _usage(60)})
    else:
        return UNKNOWN
    done = {"done": True, "done_reason": "stop", "total_duration": 1, "prompt_eval_count": 60, "eval_count": 1}
    return Answer({"model": model, "created_at": "2026-01-01T00:00:00Z", **said, **done})


def chat(request: Request, model: str, tokenizer: Tokenizer | None) -> Answer:
    """A chat completion with log probabilities, of vLLM or OpenAI."""
    if request.path == "/v1/models":
        return _models(model, owned_by="system")
    if request.path != "/v1/chat/completions":
        return Answer({"error": {"message": "Invalid URL", "type": "invalid_request_error", "param": None, "code": None}}, 404)
    message = {"role": "assistant", "content": _reply(request), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": {"content": _verdict(request)}, "finish_reason": "stop"}
    return Answer({"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": [choice], "usage": _usage(60)})


def _ollama(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 1764547200, "owned_by": "library"}


def _two(text: str) -> tuple[float, float]:
    right = 1 / (1 + math.exp(-odds(text)))
    return math.log(right * 0.99), math.log((1 - right) * 0.99)


def _entry(family: str, text: str) -> dict[str, Any]:
    """The first token of llama.cpp and Ollama, with the most likely ones."""
    answers = [answer.replace("▁", " ") for answer in TEXT_FAMILIES[family].answers]
    top: list[dict[str, Any]] = [
        {"id": 648 + i, "token": answer, "bytes": list(answer.encode()), "logprob": log_prob}
        for i, (answer, log_prob) in enumerate(zip(answers, _two(text), strict=True))
    ]
    return _first(top)


def _first(top: list[dict[str, Any]]) -> dict[str, Any]:
    """A position at which the most likely token is sampled."""
    sampled = max(top, key=lambda token: float(token["logprob"]))
    return {**sampled, "top_logprobs": top}


def _is_direct(request: Request) -> bool:
    return "one word" in request.body["messages"][-1]["content"]


def _reply(request: Request) -> str:
    word = "No" if WRONG in str(request.body["messages"]) else "Yes"
    return word if _is_direct(request) else f"Each step was checked.\n\nIs the solution correct? {word}"


def _verdict(request: Request) -> list[dict[str, Any]]:
    space = "" if _is_direct(request) else " "
    yes, no = _two(str(request.body["messages"]))
    top: list[dict[str, Any]] = [
        {"token": f"{space}Yes", "logprob": yes, "bytes": None},
        {"token": f"{space}No", "logprob": no, "bytes": None},
    ]
    before = {"token": "Each step was checked.\n\nIs the solution correct?", "logprob": 0.0, "bytes": None, "top_logprobs": []}
    return [_first(top)] if _is_direct(request) else [before, _first(top)]


VLLM = "https://docs.vllm.ai/en/latest/serving/online_serving/openai_compatible_server/"
LLAMA_CPP = "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"
OLLAMA = "https://docs.ollama.com/openapi.yaml"
GENERATOR = "--generator http://localhost:8001"

SETUPS = (
    Setup(
        "Any PRM behind the scoring server of this package, on vLLM in its process; it reads the prefix cache",
        "epf serve-prm --reward-model Qwen/Qwen2.5-Math-PRM-7B --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        "this package",
        "stories-reward-model",
        None,
    ),
    Setup(
        "Qwen2.5-Math-PRM-7B, -72B and Qwen2.5-Math-7B-PRM800K on vLLM",
        "vllm serve Qwen/Qwen2.5-Math-PRM-7B --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        f"{VLLM}#pooling-api",
        "Qwen/Qwen2.5-Math-PRM-7B",
        vllm_pooling,
        "qwen2.5-math-prm",
    ),
    Setup(
        "Math-Shepherd on vLLM",
        "vllm serve peiyi9979/math-shepherd-mistral-7b-prm --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        f"{VLLM}#completions-api",
        "peiyi9979/math-shepherd-mistral-7b-prm",
        vllm_next_token("math-shepherd"),
        "math-shepherd",
    ),
    Setup(
        "RLHFlow's Llama3.1-8B-PRM-Deepseek-Data and -Mistral-Data on vLLM",
        "vllm serve RLHFlow/Llama3.1-8B-PRM-Deepseek-Data --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        f"{VLLM}#completions-api",
        "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data",
        vllm_next_token("rlhflow"),
        "rlhflow",
    ),
    Setup(
        "VersaPRM, or Math-psa with `--family math-psa`, once their adapters are merged into their base models",
        "vllm serve ./versaprm-merged --served-model-name versaprm --port 8002",
        "EPF_REWARD_MODEL__TOKENIZER=UW-Madison-Lee-Lab/Llama-PRM800K \\\n"
        f"  epf serve {GENERATOR} --reward-model http://localhost:8002",
        f"{VLLM}#completions-api",
        "versaprm",
        vllm_next_token("versaprm"),
        "versaprm",
    ),
    Setup(
        "Skywork-o1-Open-PRM on vLLM 0.6.4 with Skywork's plugin",
        "pip install vllm==0.6.4.post1 git+https://github.com/SkyworkAI/skywork-o1-prm-inference\n"
        "vllm serve Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        "https://github.com/SkyworkAI/skywork-o1-prm-inference",
        "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B",
        skywork_plugin,
        "skywork-o1-prm",
    ),
    Setup(
        "Math-Shepherd as a GGUF file, on llama.cpp",
        "llama-server --model math-shepherd-mistral-7b-prm.Q4_K_M.gguf --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        LLAMA_CPP,
        "math-shepherd-mistral-7b-prm.Q4_K_M.gguf",
        llama_cpp,
    ),
    Setup(
        "RLHFlow's models as GGUF files, on llama.cpp; `--jinja` takes the model's own chat template",
        "llama-server --model Llama3.1-8B-PRM-Deepseek-Data.Q4_K_M.gguf --jinja --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        LLAMA_CPP,
        "Llama3.1-8B-PRM-Deepseek-Data.Q4_K_M.gguf",
        llama_cpp,
    ),
    Setup(
        "Math-Shepherd on Ollama 0.12.11 or newer",
        'echo "FROM ./math-shepherd-mistral-7b-prm.Q4_K_M.gguf" > Modelfile\nollama create math-shepherd-prm',
        "EPF_REWARD_MODEL__NAME=math-shepherd-prm \\\n"
        f"  epf serve {GENERATOR} --reward-model http://localhost:11434 --family math-shepherd",
        OLLAMA,
        "math-shepherd-prm",
        ollama,
    ),
    Setup(
        "ThinkPRM on vLLM",
        "vllm serve launch/ThinkPRM-1.5B --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002",
        f"{VLLM}#chat-api",
        "launch/ThinkPRM-1.5B",
        chat,
    ),
    Setup(
        "Any chat model as a judge, here on Ollama",
        "ollama pull qwen3:8b",
        f"EPF_REWARD_MODEL__NAME=qwen3:8b epf serve {GENERATOR} --reward-model http://localhost:11434 --family judge",
        OLLAMA,
        "qwen3:8b",
        ollama,
    ),
    Setup(
        "The same with a verdict of one word, here on vLLM",
        "vllm serve Qwen/Qwen2.5-7B-Instruct --port 8002",
        f"epf serve {GENERATOR} --reward-model http://localhost:8002 --family judge-direct",
        f"{VLLM}#chat-api",
        "Qwen/Qwen2.5-7B-Instruct",
        chat,
    ),
    Setup(
        "A judge at OpenAI, or at Azure with `--reward-model https://NAME.openai.azure.com/openai/v1`",
        "export EPF_REWARD_MODEL__API_KEY=$OPENAI_API_KEY",
        "EPF_REWARD_MODEL__NAME=gpt-4.1-mini \\\n"
        f"  epf serve {GENERATOR} --reward-model https://api.openai.com --family judge-direct",
        "https://platform.openai.com/docs/api-reference/chat/create",
        "gpt-4.1-mini",
        chat,
    ),
)
