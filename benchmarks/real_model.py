"""A real model on real problems: ``make bench-real DATA=svamp.jsonl``; writes ``benchmarks/results/real_model.md``.

SmolLM2-135M-Instruct, which cannot do arithmetic, behind vLLM's server: the question is not how often it is right, but whether
searches run, and whether their answers are read. Next to it the pair ``stories`` on the same problems. Every part is a run of
``epf eval`` in ``runs/real_model``, so that the same command goes on where it was interrupted.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.engines import vllm_serve
from benchmarks.output import RESULTS, save
from epf.engines.machine import computes_bfloat16
from epf.evaluation.rows import Row
from epf.evaluation.store import read_run

PROBLEMS = 60
TOKENS = 320
"""Maximum number of tokens of one particle."""

EXAMPLES = Path(__file__).parent / "data" / "boxed_examples.jsonl"
"""Four solved problems of our own, which show blank lines between steps and a boxed answer."""

RUNS = Path("runs") / "real_model"
EVAL = "import sys; from epf.cli.main import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Part:
    """Methods that run together: with one budget, and with a reward model or none."""

    name: str
    methods: str
    budget: int
    judged: bool = False


PARTS = (
    Part("sample", "sample", 1),
    Part("votes", "self_consistency,ipf", 8),
    Part("judged", "best_of_n", 8, judged=True),
)
NAMES = {"smollm2": "SmolLM2-135M-Instruct", "stories": "pair `stories`"}


@dataclass(frozen=True, slots=True)
class Line:
    """One model and method.

    Attributes:
        searches, failed: number of searches, and of those that ended with an error.
        read: share of solutions whose answer was read.
        right: share of searches with the right answer.
        tokens: mean number of sampled tokens of a search.
    """

    model: str
    method: str
    budget: int
    searches: int
    failed: int
    read: float
    right: float
    tokens: float


def evaluate(model: str, data: Path, part: Part, settings: Mapping[str, str]) -> Path:
    """Run or resume one part; returns its directory."""
    out = RUNS / f"{model}-{part.name}"
    command = [sys.executable, "-c", EVAL, "eval", "--dataset", str(data), "--limit", str(PROBLEMS), "--seeds", "1"]
    command += ["--methods", part.methods, "--budgets", str(part.budget), "--timed", "0", "--concurrency", "4"]
    command += ["--max-tokens-per-particle", str(TOKENS), "--out", str(out)]
    subprocess.run(command, env={**os.environ, **settings}, check=True)
    return out


def summarize(model: str, rows: Sequence[Row]) -> list[Line]:
    """Return a line for each method."""
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        solutions = sum(row.evidence.n_solutions if row.evidence else row.budget for row in own)
        answered = sum(row.evidence.n_answered if row.evidence else 0 for row in own)
        lines.append(
            Line(
                model=model,
                method=method,
                budget=own[0].budget,
                searches=len(own),
                failed=sum(row.error is not None for row in own),
                read=answered / solutions,
                right=sum(row.correct for row in own) / len(own),
                tokens=sum(row.generated_tokens for row in own) / len(own),
            )
        )
    return lines


def page(lines: Sequence[Line]) -> str:
    """Return the page with the table."""
    table = [
        "| model | method | N | searches | failed | answers read | right | tokens |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in lines:
        cells = [NAMES[line.model], f"`{line.method}`", line.budget, line.searches, line.failed]
        cells += [f"{line.read:.0%}", f"{line.right:.0%}", f"{line.tokens:.0f}"]
        table.append("| " + " | ".join(map(str, cells)) + " |")
    short = [f"`{line.method}` has {line.searches} of {PROBLEMS} problems." for line in lines if line.searches < PROBLEMS]
    unfinished = f"The run is not complete: {' '.join(short)}\n\n" if short else ""
    return "# A real model on SVAMP\n\n" + "\n".join(table) + f"\n\n{unfinished}{NOTES}"


NOTES = f"""The first {PROBLEMS} problems, one search each, at most {TOKENS} tokens per particle. SmolLM2-135M-Instruct runs on
vLLM on a CPU, with the default system prompt and the examples of `benchmarks/data/boxed_examples.jsonl`; for `best_of_n` it
judges its own solutions in one word (`judge-direct`). "Answers read" is the share of solutions whose answer was found,
"tokens" the mean number of sampled tokens of a search.

`make bench-real DATA=svamp.jsonl` measures it again.
"""


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="svamp.jsonl")
    parser.add_argument("--model", type=Path, required=True, help="directory of SmolLM2-135M-Instruct")
    args = parser.parse_args()
    lines = []
    for part in PARTS:
        lines += summarize("stories", read_run(evaluate("stories", args.data, part, {"EPF_GENERATOR": "stories"}))[1])
    dtype = "bfloat16" if computes_bfloat16() else "float32"
    with vllm_serve(args.model, dtype=dtype, cores="nobind") as url:
        own = {"EPF_GENERATOR": url, "EPF_GENERATOR__TOKENIZER": str(args.model), "EPF_GENERATOR__EXAMPLES": str(EXAMPLES)}
        judge = {"KIND": "http", "URL": url, "NAME": "model", "FAMILY": "judge-direct"}
        for part in PARTS:
            judged = {f"EPF_REWARD_MODEL__{name}": value for name, value in judge.items()} if part.judged else {}
            lines += summarize("smollm2", read_run(evaluate("smollm2", args.data, part, own | judged))[1])
    result = {"problems": PROBLEMS, "tokens": TOKENS, "dtype": dtype, "lines": [asdict(line) for line in lines]}
    save(RESULTS / "real_model", json.loads(json.dumps(result)), page(lines))


if __name__ == "__main__":
    main()
