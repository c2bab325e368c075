"""The tools on real traces: the recorded sample in docs, and public data if its files are available."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.entropy.__main__ import DOCS, PAGES, commands
from benchmarks.entropy.public import DATA, SETS, solvers
from benchmarks.entropy.record import balanced
from epf.cli.main import main
from epf.entropy.registry import TOOLS
from epf.entropy.traces import read_rows, traces_of
from tests.examples import examples

ROOT = Path(__file__).parents[2]
SAMPLE = DOCS / "traces.jsonl"
COMMANDS = [words for page in ("index", *PAGES) for words in commands(page) if words[0] == "epf" and len(words) > 2]

needs_data = pytest.mark.skipif(
    not (ROOT / DATA).exists(), reason=f"reads public data sets from {DATA}, which is not part of this repository"
)


def answer(name: str, **fields: Any) -> Any:
    return TOOLS[name].answer(TOOLS[name].input(**fields))


def test_every_tool_has_a_page_with_its_question_and_the_index_lists_it() -> None:
    assert {name.replace("-", "_") for name in TOOLS} == set(PAGES)
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for name, tool in TOOLS.items():
        page = name.replace("-", "_")
        assert (DOCS / f"{page}.md").read_text(encoding="utf-8").startswith(f"# {name}\n\n*{tool.question}*\n")
        assert f"| [{name}]({page}.md) | {tool.question} |" in index


def test_the_sample_is_small_and_complete() -> None:
    assert SAMPLE.stat().st_size < 200_000
    found = traces_of(read_rows(SAMPLE))
    assert len({trace.problem for trace in found}) == 5
    for trace in found:
        assert trace.steps
        assert trace.scores
        assert trace.token_ids
        assert trace.logprobs
        assert trace.entropies
        assert trace.correct is not None
        assert trace.judges["right_steps"] == 1 or int(trace.labels["first_wrong"]) >= 0


def test_the_documented_result_of_a_search_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve, entropy = (
        shlex.split(found.command) for found in examples("docs/entropy/index.md", "epf ") if "solved.json" in found.command
    )
    assert solve[-2:] == [">", entropy[3]]
    assert main(solve[1:-2]) == 0
    file = tmp_path / entropy[3]
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main([*entropy[1:3], str(file), *entropy[4:]]) == 0


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[1] == "entropy"], ids=shlex.join)
@pytest.mark.slow
def test_the_commands_of_the_documentation_run_on_the_sample(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sample also replaces the other files of recorded searches, which have the same format."""
    if "gsm8k" in words[3]:
        pytest.skip("reads a public data set, which is not part of this repository")
    if "states" in words[3]:
        pytest.skip("reads hidden states; the test of the command that writes them runs it")
    options = words[4:]
    if "--plot" in options:
        options[options.index("--plot") + 1] = str(tmp_path / "picture.png")
    file = ROOT / words[3]
    if file.suffix == ".jsonl":
        file = tmp_path / "one.jsonl"
        rows = SAMPLE.read_text(encoding="utf-8").splitlines()[: 16 if "one_problem" in words[3] else None]
        if "--vocabulary" in options:  # bounds what is unknown: the entropies of the sample are known
            rows = [json.dumps({name: value for name, value in json.loads(row).items() if name != "entropies"}) for row in rows]
        file.write_text("".join(f"{row}\n" for row in rows))
    assert main(["entropy", words[2], str(file), *options]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[1] == "trace"], ids=shlex.join)
def test_internals_of_a_model_are_written_and_read_as_documented(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed; the extra `torch` has it")
    pytest.importorskip("transformers", reason="transformers is not installed; the extra `torch` has it")
    options, written = list(words[4:]), tmp_path / "internals.json"
    index = options.index("--hidden" if "--hidden" in options else "--attention") + 1
    (reading,) = [other for other in COMMANDS if other[3] == options[index]]
    options[index] = str(written)
    options[options.index("--model") + 1] = str(ROOT / options[options.index("--model") + 1])
    file = tmp_path / "some.jsonl"
    rows = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(rows[:4]))
    assert main(["trace", "internals", str(file), *options]) == 0
    read = [part for part in reading[4:] if part != "--plot" and not part.endswith(".png")]
    few_epochs = ["--epochs", "2"] if reading[2] == "features" else []
    assert main(["entropy", reading[2], str(written), *read, *few_epochs]) == 0
    assert capsys.readouterr().out


def test_the_recorded_attention_belongs_to_the_sample() -> None:
    """Checks the steps of the file from which the documentation draws; writing it again needs torch."""
    trace, found = traces_of(read_rows(SAMPLE))[0], json.loads((DOCS / "attention.json").read_text(encoding="utf-8"))
    assert trace.token_ids is not None
    steps = [k for k, step in enumerate(trace.token_ids) for _ in step]
    assert [step for step in found["step_of"] if step is not None] == steps


def test_a_balanced_recording_has_equal_numbers_of_right_and_wrong_traces_per_problem() -> None:
    found = traces_of(read_rows(SAMPLE))
    selected = Counter((trace.problem, trace.correct) for trace in balanced(found))
    recorded = Counter((trace.problem, trace.correct) for trace in found)
    for problem, right in recorded:
        expected = min(recorded[problem, right], recorded[problem, not right])
        assert selected[problem, right] == selected[problem, not right] == expected
    assert sum(selected.values()) > 4


def test_the_reward_model_ranks_the_sample_better_than_chance() -> None:
    traces = traces_of(read_rows(SAMPLE))
    found = answer("ranking", traces=traces, teacher="right_steps", tau=0.1)
    assert found.n_decided >= 3
    assert found.loss < found.uninformed_loss
    assert found.kendall_tau > 0


@needs_data
def test_public_data_sets_are_read_completely() -> None:
    n = {name: len(convert(ROOT / DATA)) for name, convert in SETS.items()}
    assert n == {"gsm8k_model_solutions": 4 * 1319, "processbench_gsm8k": 400, "bigbench_mistake": 300}


@needs_data
def test_whether_a_model_solves_a_problem_does_not_follow_from_the_other_models() -> None:
    columns = solvers(SETS["gsm8k_model_solutions"](ROOT / DATA))
    found = answer("reconstruction", columns=columns, target="175b_verification", unit="bits")
    assert found.verdict == "impossible"
    assert 0.5 < found.unknown < found.target_entropy < 1


@needs_data
def test_votes_rank_right_solutions_first_more_often_than_chance() -> None:
    traces = SETS["gsm8k_model_solutions"](ROOT / DATA)
    found = answer("ranking", traces=traces, student="votes", teacher="right")
    assert found.n_problems == 1319
    assert found.same_best > 0.5
    assert found.loss < found.uninformed_loss
