"""lm-evaluation-harness: its command line, on a task of its own with two problems, without the hub."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cases import GUARD_S, KEY, MODEL, PROBLEM, report, url

TASK = r"""
task: birds
dataset_path: json
dataset_kwargs: {data_files: {test: birds.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Q:"], max_gen_toks: 128, do_sample: false}
filter_list:
  - name: boxed
    filter: [{function: regex, regex_pattern: 'boxed\{(-?\d+)\}'}, {function: take_first}]
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
PROBLEMS = {
    PROBLEM: "28",
    "Tom has 12 apples. He buys 7 more apples. He eats 4 apples. How many apples does he have left?": "15",
}


def evaluated(kind: str, path: str, model: str, *options: str) -> dict[str, Any]:
    """Return the results that the harness writes, one sample per problem among them."""
    Path("birds.yaml").write_text(TASK, encoding="utf-8")
    rows = [json.dumps({"question": question, "answer": answer}) for question, answer in PROBLEMS.items()]
    Path("birds.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    served = (
        f"model={model},base_url={url('real')}{path},num_concurrent=2,max_retries=1,tokenized_requests=False,timeout={GUARD_S}"
    )
    command = [sys.executable, "-m", "lm_eval", "run", "--model", kind, "--model_args", f"{served},tokenizer_backend=None"]
    command += ["--tasks", "birds", "--include_path", ".", "--output_path", kind, *options]
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3 * GUARD_S)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
    (written,) = Path(kind).rglob("results_*.json")
    results: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))["results"]["birds"]
    return results


def chat() -> None:
    results = evaluated("local-chat-completions", "/chat/completions", MODEL, "--apply_chat_template")
    assert results["exact_match,boxed"] == 1, results


def completions() -> None:
    results = evaluated("local-completions", "/completions", MODEL)
    assert results["exact_match,boxed"] == 1, results


report(f"lm-eval {version('lm-eval')}", {"basic": chat, "completions": completions}, otherwise="it has no such call")
