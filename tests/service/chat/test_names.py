import pytest

from epf.core.errors import ModelNotFound
from epf.search.answers.checker import AnswerChecker
from epf.search.methods import METHODS
from epf.service.chat.resolve import model_names, options_of
from epf.service.searches.models import Models
from tests.service.chat.writing import Judge, Writer

MODELS = Models(Writer(), Judge(), AnswerChecker())


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("epf", {"method": "epf"}),
        ("epf-16", {"method": "epf", "n_particles": 16}),
        ("pf-1", {"method": "pf", "n_particles": 1}),
        ("best-of-n", {"method": "best_of_n"}),
        ("best-of-n-16", {"method": "best_of_n", "n_particles": 16}),
        ("weighted-best-of-n-8", {"method": "weighted_best_of_n", "n_particles": 8}),
        ("beam-16", {"method": "beam", "n_particles": 16}),
        ("dvts-16", {"method": "dvts", "n_particles": 16}),
        ("self-consistency-64", {"method": "self_consistency", "n_particles": 64}),
        ("test/writer", {"method": "sample", "system_prompt": ""}),
    ],
)
def test_a_model_name_stands_for_options(model: str, options: dict[str, object]) -> None:
    assert options_of(model, MODELS, 64) == options


@pytest.mark.parametrize(
    "model",
    ["", "gpt-4o", "epf-0", "epf-08", "epf-65", "epf--1", "epf-1.5", "epf-", "EPF", "epf-4-4", "best_of_n", "sample", "epf-²"],
)
def test_other_names_are_not_found(model: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        options_of(model, MODELS, 64)
    fix = "a model has at most " if model in ("epf-65", "epf-33") else "/v1/models lists the models."
    assert caught.value.message.startswith(f"The model `{model}` does not exist or you do not have access to it: {fix}")
    assert (caught.value.param, caught.value.code) == ("model", "model_not_found")


def test_the_list_has_the_generator_and_every_method_within_the_limit() -> None:
    names = list(model_names(MODELS, 16))
    assert names[:5] == ["test/writer", "epf", "epf-4", "epf-8", "epf-16"]
    assert "self-consistency-16" in names
    assert not [name for name in names if name.endswith("-32")]
    assert {options_of(name, MODELS, 16)["method"] for name in names} == set(METHODS)


def test_without_a_reward_model_only_methods_that_need_none_are_listed_and_found() -> None:
    models = Models(Writer(), None, MODELS.checker)
    names = list(model_names(models, 4))
    assert names == ["test/writer", "ipf", "ipf-4", "self-consistency", "self-consistency-4"]
    with pytest.raises(ModelNotFound, match=r"`epf-8` is not served.*needs a reward model.*--reward-model") as caught:
        options_of("epf-8", models, 64)
    assert caught.value.param == "model"
