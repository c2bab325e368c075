"""``epf tune`` as a person runs it, and its profile in a command that searches."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from epf.cli.main import main
from epf.cli.tuning import changes, hidden
from epf.search.profile.file import load_profile, save_profile
from epf.search.profile.profile import Profile
from epf.service.searches.models import Models, with_checker
from epf.service.settings import SearchDefaults, Settings
from tests.evaluation.profile.pair import N_STEPS, Misreader, Ways, problems


@asynccontextmanager
async def models() -> AsyncIterator[Models]:
    async with with_checker(Ways(), Misreader()) as given:
        yield given


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    rows = [json.dumps({"problem": problem.text, "answer": problem.gold}) for problem in problems(36)]
    (tmp_path / "ways.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(tmp_path / "ways.jsonl")


def tune(dataset: str, *arguments: str) -> int:
    return main(("tune", "--dataset", dataset, "--budget-minutes", "0.001", *arguments), load_models=models)


def test_a_dry_run_shows_what_was_found_and_writes_nothing(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tune(dataset, "--dry-run") == 0
    out, err = capsys.readouterr()
    assert "- Slope of the score within a problem, by depth (1 is calibrated, 0 is noise): " in out
    assert "Profile of ways with misreader:" in out
    assert out.endswith("Nothing is written (--dry-run). The profile would be ways--misreader.profile.json.\n")
    assert "searches fit into 0.001 minutes" in err
    assert [path.name for path in tmp_path.iterdir()] == ["ways.jsonl"]


def test_the_file_is_named_after_both_models_and_out_names_another(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tune(dataset) == 0
    assert "To use it: EPF_PROFILE=ways--misreader.profile.json" in capsys.readouterr().out
    found = load_profile(tmp_path / "ways--misreader.profile.json")
    assert found.models == (Ways.name, Misreader.name)
    assert " % of 16 independent solutions of " in found.findings[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "nowhere/profile.json"), "Cannot write nowhere/profile.json: No such file or directory"),
        (("--out", "."), "Cannot write .: Is a directory"),
        (("--budget-minutes", "inf"), "budget_minutes must be a finite number"),
        (("--budget-minutes", "nan"), "budget_minutes must be a finite number"),
    ],
)
def test_what_cannot_end_well_is_refused_before_the_first_search(
    arguments: tuple[str, str],
    message: str,
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tune(dataset, *arguments) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert not out
    assert [path.name for path in tmp_path.iterdir()] == ["ways.jsonl"]


def test_what_cannot_be_learned_is_refused(dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(dataset, "--limit", "29") == 2
    assert "A profile needs at least 30 problems with answers, got 29" in capsys.readouterr().err
    assert tune(dataset, "--reward-model", "none") == 2
    assert "name one with --reward-model or EPF_REWARD_MODEL" in capsys.readouterr().err


def test_a_file_that_is_no_profile_is_refused_by_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "profile.json").write_text("{}", encoding="utf-8")
    assert main(("solve", "--profile", str(tmp_path / "profile.json"), "What is 1 + 1?")) == 2
    assert "is not a profile (KeyError: 'generator'): write one with epf tune" in capsys.readouterr().err


def test_a_search_takes_the_options_of_its_profile_and_flags_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_profile(Profile(Ways.name, Misreader.name, "by hand", {"n_particles": 2}), tmp_path / "profile.json")

    def generated_tokens(*flags: str) -> int:
        asked = ("solve", "--json", "--profile", str(tmp_path / "profile.json"), *flags, "Which way?")
        assert main(asked, load_models=models) == 0
        found: int = json.loads(capsys.readouterr().out)["usage"]["generated_tokens"]
        return found

    assert generated_tokens() == 2 * N_STEPS
    assert generated_tokens("--n-particles", "3") == 3 * N_STEPS
    assert generated_tokens("--method", "pf") == 8 * N_STEPS


def test_changes_are_shown_and_options_that_win_over_the_profile_are_named() -> None:
    profile = Profile("g", "r", "made", {"odds_power": 1.0, "slopes": [0.1, 0.9]})
    assert changes(profile) == ["Profile of g with r:", "  odds_power: 0.5 -> 1.0", "  slopes: () -> [0.1, 0.9]"]
    assert changes(Profile("g", "r", "made")) == ["Profile of g with r: the defaults of epf stay."]
    (warning,) = hidden(profile, Settings(search=SearchDefaults(slopes=(1.0,), n_particles=4)))
    assert warning == "slopes is set (EPF_SEARCH__SLOPES) and wins over the profile: unset it"
