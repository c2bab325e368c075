"""Solutions sampled for the reward model's training: a run that was interrupted ends with the file of one that was not."""

from pathlib import Path

import pytest

from epf.engines.onnx.pairs import STORIES
from epf.training.plain.problem import PlainProblem
from epf.training.plain.reward_model import samples
from epf.training.plain.reward_model.samples import read_samples, write_samples

PROBLEMS = [
    PlainProblem(f"There are {n} birds on a wire. 2 fly away. How many are left?", (), str(n - 2)) for n in range(5, 10)
]


def write(path: Path) -> None:
    write_samples(STORIES.generator, PROBLEMS.__getitem__, path, n_problems=len(PROBLEMS), n=2, seed=1)


def test_an_interrupted_run_goes_on_after_its_last_whole_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_CHUNK", 2)
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    write(whole)
    lines = whole.read_text().splitlines(keepends=True)
    cut.write_text("".join(lines[:3]) + lines[3][:20])
    write(cut)
    assert cut.read_text() == whole.read_text()
    assert [problem for problem, _ in read_samples(cut)] == PROBLEMS
    assert {len(found) for _, found in read_samples(cut)} == {2}


def test_a_complete_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "samples.jsonl"
    write(path)
    monkeypatch.setattr(samples, "_samples", None)
    write(path)
    assert [problem for problem, _ in read_samples(path)] == PROBLEMS
