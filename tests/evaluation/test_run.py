"""An evaluation from Python."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import GeneratorError, InvalidRequest
from epf.core.generator import Abilities, GeneratorWrapper
from epf.evaluation.report.figures import Report
from epf.evaluation.run import EMBEDDED, Evaluation, evaluate, open_run
from epf.evaluation.store import read_run
from epf.search.profile.profile import Profile
from epf.service.searches.models import Models, with_checker
from tests.fakes import ScriptedGenerator, ScriptedRewardModel


def evaluation(folder: Path, **more: Any) -> Evaluation:
    """A small evaluation over a file."""
    rows = [json.dumps({"problem": f"What is {i} + 1?", "answer": 42}) for i in range(3)]
    (folder / "set.jsonl").write_text("\n".join(rows), encoding="utf-8")
    small: dict[str, Any] = {"methods": "epf,best_of_n", "budgets": (4,), "seeds": 2, "timed": 1, **more}
    return Evaluation(str(folder / "set.jsonl"), folder / "run", **small)


def report(asked: Evaluation, **generator: Any) -> Report:
    """Evaluate scripted models."""

    @asynccontextmanager
    async def models() -> AsyncIterator[Models]:
        async with with_checker(ScriptedGenerator(**generator), ScriptedRewardModel()) as found:
            yield found

    return asyncio.run(evaluate(asked, models))


def test_the_report_is_returned_and_written(tmp_path: Path) -> None:
    found = report(evaluation(tmp_path))
    assert (found.n_problems, found.n_searches, found.failures) == (3, 6, {})
    assert [(cell.method, cell.budget) for cell in found.cells] == [("epf", 4), ("best_of_n", 4)]
    written = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert written["n_searches"] == found.n_searches
    assert (tmp_path / "run" / "report.md").exists()


class WithoutLogProbs(GeneratorWrapper):
    @property
    def abilities(self) -> Abilities:
        return Abilities(log_probs=False)


def test_all_leaves_out_what_the_server_does_not_offer_and_a_method_that_is_named_is_refused(tmp_path: Path) -> None:
    @asynccontextmanager
    async def models() -> AsyncIterator[Models]:
        async with with_checker(WithoutLogProbs(ScriptedGenerator()), None) as found:
            yield found

    asked = evaluation(tmp_path, methods="all", budgets=(1,), seeds=1, has_reward_model=False)
    found = asyncio.run(evaluate(asked, models))
    assert {cell.method for cell in found.cells} == {"self_consistency", "sample"}
    page = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "Left out: ipf: the generator's server does not offer" in page
    with pytest.raises(InvalidRequest, match="choose self_consistency or sample"):
        asyncio.run(evaluate(replace(asked, directory=tmp_path / "named", methods="ipf,sample"), models))


@pytest.mark.slow
def test_a_complete_run_is_not_searched_again(tmp_path: Path) -> None:
    first = report(evaluation(tmp_path))
    assert report(evaluation(tmp_path), error=GeneratorError("no model may be called")) == first


def test_the_rows_so_far_are_reported_when_the_models_fail(tmp_path: Path) -> None:
    asked = evaluation(tmp_path, seeds=12)
    with pytest.raises(GeneratorError, match="20 searches in a row failed"):
        report(asked, error=GeneratorError("the engine is down"))
    assert "generator_error" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    with open_run(asked) as run:
        assert not run.is_complete
        assert run.rows == [], "failed searches are retried"


def test_the_settings_of_a_run_name_its_models_and_options(tmp_path: Path) -> None:
    models: Mapping[str, Mapping[str, Any]] = {"generator": {"name": "mine"}, "reward_model": {"name": "its judge"}}
    report(evaluation(tmp_path, models=models, options={"max_steps": 9}))
    settings, rows = read_run(tmp_path / "run")
    assert (settings["generator"], settings["search"]) == ({"name": "mine"}, {"max_steps": 9})
    assert len(rows) == 12
    with pytest.raises(InvalidRequest, match="other settings"), open_run(evaluation(tmp_path, models=EMBEDDED)):
        pass


@pytest.mark.slow
def test_a_profile_holds_options_of_epf_and_is_named_in_the_report(tmp_path: Path) -> None:
    profile = Profile(ScriptedGenerator().name, ScriptedRewardModel().name, "by hand", {"slopes": [0.5], "n_particles": 16})
    asked = evaluation(tmp_path, methods="epf,pf", profile=profile)
    with open_run(asked) as run:
        slopes = {cell.contender.name: (cell.options.slopes, cell.options.n_particles) for cell in run.plan.cells}
        assert slopes == {"epf": ((0.5,), 4), "pf": ((), 4)}  # the budget of a cell wins over the profile
        assert "Options of epf by its profile: slopes [0.5], n_particles 16." in run.write_report().page
    with pytest.raises(InvalidRequest, match=r"other settings \(profile"), open_run(replace(asked, profile=None)):
        pass


def test_a_run_is_not_resumed_with_other_models(tmp_path: Path) -> None:
    """The settings of a run hold no addresses, and an address can serve another model the next day."""
    report(evaluation(tmp_path, seeds=1))

    class Other(ScriptedGenerator):
        name = "another-generator"

    @asynccontextmanager
    async def others() -> AsyncIterator[Models]:
        async with with_checker(Other(), ScriptedRewardModel()) as found:
            yield found

    with pytest.raises(
        InvalidRequest, match=r"holds searches of scripted-generator with scripted-reward-model, but .* another-ge"
    ):
        asyncio.run(evaluate(evaluation(tmp_path, seeds=2), others))


def test_a_report_without_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    report(evaluation(tmp_path))
    with open_run(evaluation(tmp_path)) as run:
        written = run.write_report()
    assert written.without_pictures is not None
    assert "plots" in written.without_pictures
    assert "![" not in written.page
