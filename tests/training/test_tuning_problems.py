"""Profiles are learned from problems that no benchmark measures."""

import json

import pytest

from epf.problem_sets.registry import load_problems
from epf.training import tuning_problems
from epf.training.tuning_problems import N_PROBLEMS


@pytest.mark.parametrize(("pair", "dataset"), [("stories", "synthetic"), ("forks", "forks"), ("forks-overconfident", "forks")])
def test_the_problems_of_a_pair_are_not_in_its_set(
    pair: str, dataset: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tuning_problems", pair])
    tuning_problems.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == N_PROBLEMS
    assert not {row["problem"] for row in rows} & {problem.text for problem in load_problems(dataset)}
