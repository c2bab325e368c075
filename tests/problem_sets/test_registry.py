"""Problem sets by name, from a file, and from the hub."""

import importlib.util
import json
import math
from pathlib import Path

import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.problem import Problem
from epf.problem_sets.registry import SYNTHETIC_SEED, load_problems
from epf.problem_sets.synthetic.problem import held_out_graph
from epf.problem_sets.synthetic.problems import problems
from epf.search.answers.numbers import plain_number


@pytest.mark.parametrize(
    ("name", "n", "gold"), [("gsm8k", 1319, "18"), ("svamp", 1000, "145"), ("synthetic", 500, None), ("forks", 500, None)]
)
@pytest.mark.slow
def test_sets_that_need_no_network(name: str, n: int, gold: str | None) -> None:
    found = load_problems(name)
    assert len(found) == n
    assert gold in (None, found[0].gold)
    assert all(plain_number(problem.gold) is not None for problem in found)
    assert load_problems(name, 3) == found[:3]


def test_synthetic_problems_are_held_out_from_training() -> None:
    made = problems(SYNTHETIC_SEED, "test", 4, 8)
    for found, problem in zip(load_problems("synthetic", 20), made, strict=False):
        assert (found.text, found.gold) == (problem.text, str(problem.answer))
        assert held_out_graph(problem.graph)


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_a_json_lines_file(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", '{"problem": "a?", "answer": "1"}', "", '{"question": "b?", "answer": "so #### 2"}')
    assert [(problem.id, problem.text, problem.gold) for problem in load_problems(path)] == [("1", "a?", "1"), ("3", "b?", "2")]


def test_a_table_with_columns_of_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "Key,Body,Target", 'x,"a, b?",1', "y,c?,2")
    found = load_problems(path, 1, {"problem": "Body", "answer": "Target", "id": "Key"})
    assert found == [Problem("x", "a, b?", "1")]
    with pytest.raises(InvalidRequest, match="svamp has its own columns"):
        load_problems("svamp", columns={"problem": "Body"})


def test_all_rows_of_a_file_are_checked_and_all_refused_ones_are_named(tmp_path: Path) -> None:
    rows = [{"problem": f"{i}?", "answer": math.nan if i % 2 else i} for i in range(30)]
    path = write(tmp_path / "mine.jsonl", *map(json.dumps, rows))
    with pytest.raises(InvalidRequest) as refused:
        load_problems(path, 1)
    assert refused.value.message == (
        f"Row 2 of {path}: `answer` is nan, which is no answer. Remove the row or write its answer. "
        "Rows that are refused too: 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, ... (14 in all)."
    )


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("gsm9k", "gsm8k"),
        ("mine.txt", r"\.jsonl, \.json, \.csv, \.tsv, \.parquet, each also with \.gz"),
        ("{folder}/none.jsonl", "No such file"),
        ("{folder}/none.csv.gz", "No such file"),
        ("{folder}/empty.jsonl", "has no problems"),
        ("{folder}/array.jsonl", "Row 2 of .* must be a JSON object"),
        ("hf:", "needs the name"),
    ],
)
def test_an_unusable_data_set_is_rejected_with_the_reason(dataset: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "array.jsonl", '{"problem": "a?", "answer": "1"}', "[]")
    write(tmp_path / "empty.jsonl")
    with pytest.raises(InvalidRequest, match=message) as rejected:
        load_problems(dataset.format(folder=tmp_path))
    assert rejected.value.param == "dataset"


hub = pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="extra datasets is not installed")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in the hub's layout, which the library itself reads from a folder."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "repository"
    repository.mkdir()
    for split, n in (("train", 2), ("test", 3)):
        rows = [{"problem": f"{split} {i}?", "solution": f"\\boxed{{{i}}}"} for i in range(n)]
        write(repository / f"{split}.jsonl", *map(json.dumps, rows))
    return repository


@hub
def test_the_test_split_is_the_default(offline: Path) -> None:
    assert [(p.text, p.gold) for p in load_problems(f"hf:{offline}")] == [("test 0?", "0"), ("test 1?", "1"), ("test 2?", "2")]
    assert [p.text for p in load_problems(f"hf:{offline}@train", 1)] == ["train 0?"]
    with pytest.raises(InvalidRequest, match="has the splits test, train"):
        load_problems(f"hf:{offline}@validation")


@hub
def test_columns_of_a_set_on_the_hub(offline: Path) -> None:
    (offline / "test.jsonl").unlink()
    write(offline / "train.jsonl", json.dumps({"Body": "a?", "Target": 18.0}), json.dumps({"Body": "b?", "Target": 0.00001}))
    found = load_problems(f"hf:{offline}", columns={"problem": "Body", "answer": "Target"})
    assert [(p.id, p.text, p.gold) for p in found] == [("1", "a?", "18"), ("2", "b?", "0.00001")]
    with pytest.raises(InvalidRequest, match=r"Row 1 of hf:.* has no field `problem`.* It has 'Body', 'Target'.*--columns"):
        load_problems(f"hf:{offline}")


@hub
@pytest.mark.parametrize("name", ["math500", "hf:nobody/nothing"])
def test_a_set_that_cannot_be_loaded_is_reported_with_an_alternative(offline: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"Cannot load hf:.*--dataset PATH\.jsonl"):
        load_problems(name)
