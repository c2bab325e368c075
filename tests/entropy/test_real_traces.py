"""The tools on real traces: the recorded sample in docs, and public data where its files are at hand."""

import json
import shlex
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.entropy.__main__ import DOCUMENT, commands
from benchmarks.entropy.public import DATA, SETS, solvers
from benchmarks.entropy.record import balanced
from epf.cli.main import main
from epf.entropy.registry import TOOLS
from epf.entropy.traces import read_rows, traces_of

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "entropy" / "traces.jsonl"
COMMANDS = [words for _, words in commands(DOCUMENT.read_text(encoding="utf-8")) if words[0] == "epf" and len(words) > 2]

needs_data = pytest.mark.skipif(
    not (ROOT / DATA).exists(), reason=f"reads public data sets from {DATA}, which is not part of this repository"
)


def answer(name, **fields):
    return TOOLS[name].answer(TOOLS[name].input(**fields))


def test_the_sample_is_small_and_whole():
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
        assert trace.judges["right_steps"] == 1 or trace.labels["first_wrong"] >= 0


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[1] == "entropy"], ids=shlex.join)
def test_the_commands_of_the_documentation_run_on_the_sample(words, tmp_path, capsys):
    """Those that read other files of recorded searches too: the form is the same."""
    if "gsm8k" in words[3]:
        pytest.skip("reads a public data set, which is not part of this repository")
    if "states" in words[3]:
        pytest.skip("reads hidden states; the test of what writes them runs it")
    options = words[4:]
    if "--plot" in options:
        options[options.index("--plot") + 1] = str(tmp_path / "picture.png")
    file = ROOT / words[3]
    if file.suffix == ".jsonl":
        file = tmp_path / "one.jsonl"
        one = "one_problem" in words[3]
        file.write_text("".join(SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)[: 16 if one else None]))
    assert main(["entropy", words[2], str(file), *options]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[1] == "trace"], ids=shlex.join)
def test_what_goes_on_in_a_model_is_written_and_read_as_documented(words, tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is not installed; the extra `torch` has it")
    pytest.importorskip("transformers", reason="transformers is not installed; the extra `torch` has it")
    options, written = list(words[4:]), tmp_path / "internals.json"
    place = options.index("--hidden" if "--hidden" in options else "--attention") + 1
    (reading,) = [other for other in COMMANDS if other[3] == options[place]]
    options[place] = str(written)
    options[options.index("--model") + 1] = str(ROOT / options[options.index("--model") + 1])
    file = tmp_path / "some.jsonl"
    rows = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(rows[:4]))
    assert main(["trace", "internals", str(file), *options]) == 0
    read = [part for part in reading[4:] if part != "--plot" and not part.endswith(".png")]
    few_epochs = ["--epochs", "2"] if reading[2] == "features" else []
    assert main(["entropy", reading[2], str(written), *read, *few_epochs]) == 0
    assert capsys.readouterr().out


def test_the_written_attention_is_that_of_the_sample():
    """The file that the documentation draws from, by its steps; the test above needs torch to write it again."""
    trace, found = traces_of(read_rows(SAMPLE))[0], json.loads((SAMPLE.parent / "attention.json").read_text(encoding="utf-8"))
    assert trace.token_ids is not None
    steps = [k for k, step in enumerate(trace.token_ids) for _ in step]
    assert [step for step in found["step_of"] if step is not None] == steps


def test_a_balanced_recording_has_as_many_right_as_wrong_of_each_problem():
    found = traces_of(read_rows(SAMPLE))
    kept = Counter((trace.problem, trace.correct) for trace in balanced(found))
    recorded = Counter((trace.problem, trace.correct) for trace in found)
    for problem, right in recorded:
        assert kept[problem, right] == kept[problem, not right] == min(recorded[problem, right], recorded[problem, not right])
    assert sum(kept.values()) > 4


def test_the_reward_model_ranks_the_sample_better_than_chance():
    traces = traces_of(read_rows(SAMPLE))
    found = answer("ranking", traces=traces, teacher="right_steps", tau=0.1)
    assert found.n_decided >= 3
    assert found.loss < found.uninformed_loss
    assert found.kendall_tau > 0


@needs_data
def test_public_traces_are_read_whole():
    n = {name: len(convert(ROOT / DATA)) for name, convert in SETS.items()}
    assert n == {"gsm8k_model_solutions": 4 * 1319, "processbench_gsm8k": 400, "bigbench_mistake": 300}


@needs_data
def test_who_solves_a_problem_is_not_in_who_else_does():
    columns = solvers(SETS["gsm8k_model_solutions"](ROOT / DATA))
    found = answer("reconstruction", columns=columns, target="175b_verification", unit="bits")
    assert found.verdict == "impossible"
    assert 0.5 < found.unknown < found.target_entropy < 1


@needs_data
def test_votes_rank_right_solutions_first_more_often_than_chance():
    traces = SETS["gsm8k_model_solutions"](ROOT / DATA)
    found = answer("ranking", traces=traces, student="votes", teacher="right")
    assert found.n_problems == 1319
    assert found.same_best > 0.5
    assert found.loss < found.uninformed_loss
