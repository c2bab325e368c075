"""``epf calibrate`` on the rows of a run, and its map in the commands that search."""

import json
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.evaluation.rows import ROW
from epf.evaluation.store import RESULTS, RUN
from epf.search.confidence.file import load_map
from tests.evaluation.test_calibrate import overconfident_rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "mine"
    directory.mkdir()
    (directory / RUN).write_text("{}", encoding="utf-8")
    (directory / RESULTS).write_bytes(b"".join(ROW.dump_json(row) + b"\n" for row in overconfident_rows()))
    return directory


def test_it_writes_a_map_and_says_how_good_it_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(run)]) == 0
    found = load_map(run / "confidence.json")
    assert (found.generator, found.reward_model, found.recipe) == ("generator", "prm", "epf calibrate mine")
    out = capsys.readouterr().out
    assert "the confidence of generator with prm, fitted on 400 searches on 400 problems" in out
    assert f"EPF_CONFIDENCE={run / 'confidence.json'}" in out


def test_a_run_without_evidence_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (run / RESULTS).read_text(encoding="utf-8").splitlines()]
    old = ({name: value for name, value in row.items() if name not in ("evidence", "models")} for row in rows)
    (run / RESULTS).write_text("".join(json.dumps(row) + "\n" for row in old), encoding="utf-8")
    assert main(["calibrate", str(run)]) == 2
    assert "repeat it with another --out" in capsys.readouterr().err


def test_no_run_and_no_place_to_write(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(tmp_path)]) == 2
    assert "does not hold a run of `epf eval`" in capsys.readouterr().err
    assert main(["calibrate", str(run), "--out", str(tmp_path / "nowhere" / "map.json")]) == 2
    assert "map.json: No such file or directory" in capsys.readouterr().err


def test_a_map_of_other_models_is_refused_when_the_models_are_loaded(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(run)]) == 0
    capsys.readouterr()
    monkeypatch.setenv("EPF_CONFIDENCE", str(run / "confidence.json"))
    assert main(["solve", "--generator", "stories", "What is 1 + 1?"]) == 2
    assert "fitted for 'generator' with 'prm', not for 'stories-generator'" in capsys.readouterr().err
