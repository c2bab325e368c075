"""Problem sets by name, from a file, and from the hub."""

import importlib.util
import json
from pathlib import Path

import pytest

from epf.core.errors import InvalidRequest
from epf.problem_sets.registry import SYNTHETIC_SEED, load_problems
from epf.problem_sets.synthetic.problem import held_out_graph
from epf.problem_sets.synthetic.problems import problems
from epf.search.answers.numbers import plain_number


@pytest.mark.parametrize(("name", "n", "gold"), [("gsm8k", 1319, "18"), ("svamp", 1000, "145"), ("synthetic", 500, None)])
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


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("gsm9k", "gsm8k"),
        ("{folder}/none.jsonl", "No such file"),
        ("{folder}/array.jsonl", "Row 2 of .* must be a JSON object"),
        ("{folder}/torn.jsonl", "Row 1 of .* is not valid JSON"),
        ("{folder}/latin.jsonl", "not UTF-8"),
        ("hf:", "needs the name"),
    ],
)
def test_an_unusable_data_set_is_rejected_with_the_reason(dataset: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "array.jsonl", '{"problem": "a?", "answer": "1"}', "[]")
    write(tmp_path / "torn.jsonl", '{"problem": "a?"')
    (tmp_path / "latin.jsonl").write_bytes('{"problem": "größer?", "answer": "1"}'.encode("latin-1"))
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
@pytest.mark.parametrize("name", ["math500", "hf:nobody/nothing"])
def test_a_set_that_cannot_be_loaded_is_reported_with_an_alternative(offline: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"Cannot load hf:.*--dataset PATH\.jsonl"):
        load_problems(name)
