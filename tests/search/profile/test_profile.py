import json
from pathlib import Path
from typing import Any

import pytest

from epf.core.errors import InvalidRequest
from epf.search.confidence.fitted import ConfidenceMap, Fit
from epf.search.confidence.logistic import Logistic
from epf.search.methods import METHODS
from epf.search.options import SearchOptions
from epf.search.profile.file import load_profile, save_profile
from epf.search.profile.profile import Profile
from epf.search.runner import resolve_options, with_defaults

MAP = ConfidenceMap("org/gen", "http://prm", 100, "by hand", Fit(Logistic(0.5, {"score": 1.0}, {"score": 0.25}), None))
OPTIONS = {"weighting": "incremental", "odds_power": 1.0, "slopes": [0.25, 0.9], "n_particles": 16}
PROFILE = Profile("org/gen", "http://prm", "epf tune made: 100 problems", OPTIONS, ("It was so.",), MAP)


def test_a_file_holds_everything_and_has_the_names_of_both_models(tmp_path: Path) -> None:
    assert PROFILE.file_name == "org-gen--http-prm.profile.json"
    path = tmp_path / PROFILE.file_name
    save_profile(PROFILE, path)
    assert load_profile(path) == PROFILE
    bare = Profile("a", "b", "r")
    save_profile(bare, path)
    assert load_profile(path) == bare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {"odds_powers": 1.0}}, "'odds_powers' is not an option of a search"),
        ({"options": {"odds_power": 11}}, "odds_power must be a number of at least 0 and at most 10"),
        ({"options": {"beam_width": 2}}, "beam_width is not one of them: leave it out"),
        ({"options": {"seed": 2}}, "seed is not one of them: leave it out"),
        ({"options": 3}, "is not a profile"),
        ({"generator": 3}, "a name or a finding is not a text"),
        ({"findings": [3]}, "a name or a finding is not a text"),
        ({"findings": "abc"}, "findings must be an array"),
        ({"options": [["odds_power", 0.5]]}, "options an object"),
        ({"option": {}}, "option is not a field of it"),
        ({"confidence": {}}, "write one with epf tune"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_the_reason(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "profile.json"
    save_profile(PROFILE, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    with pytest.raises(InvalidRequest, match="is not a profile") as refused:
        load_profile(path)
    assert message in refused.value.message


def test_a_missing_file_and_a_place_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Cannot read"):
        load_profile(tmp_path / "none.json")
    with pytest.raises(InvalidRequest, match="Cannot write"):
        save_profile(PROFILE, tmp_path / "nowhere" / "profile.json")


def test_it_is_for_its_own_models() -> None:
    PROFILE.check("org/gen", "http://prm")
    for generator, reward_model in (("org/gen", None), ("org/gen", "other"), ("other", "http://prm")):
        with pytest.raises(InvalidRequest, match="learned with 'org/gen' and 'http://prm'") as refused:
            PROFILE.check(generator, reward_model)
        assert refused.value.param == "profile"


def test_its_options_are_defaults_of_epf_alone_and_any_other_choice_wins() -> None:
    def options(defaults: SearchOptions | None = None, **choices: Any) -> SearchOptions:
        found = with_defaults(choices, defaults or SearchOptions(), has_reward_model=True, profile=PROFILE)
        return resolve_options(METHODS[found.method], found)

    learned = options()
    assert (learned.weighting, learned.slopes, learned.n_particles) == ("incremental", (0.25, 0.9), 16)
    assert options(SearchOptions(n_particles=4), odds_power=2.0).n_particles == 4
    assert options(odds_power=2.0).odds_power == 2.0
    for method in ("pf", "pf_once", "epf_published", "self_consistency"):
        assert options(method=method) == resolve_options(METHODS[method], SearchOptions(method=method))
