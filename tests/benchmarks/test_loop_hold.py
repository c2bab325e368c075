"""The benchmark of holds knows every route that takes a body, and sends what the servers would read."""

import json
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from benchmarks.loop_hold.__main__ import LIMITS, bound
from benchmarks.loop_hold.routes import VALID, attacks_of
from benchmarks.loop_hold.servers import fields_of
from epf.service.app import create_app
from epf.service.scoring_app import create_scoring_app
from epf.service.settings import Settings
from tests.fakes import ScriptedGenerator, ScriptedRewardModel

APPS: dict[str, Callable[[], FastAPI]] = {
    "serve": lambda: create_app(ScriptedGenerator(), ScriptedRewardModel(), Settings()),
    "serve-prm": lambda: create_scoring_app(ScriptedRewardModel(), Settings()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
def test_it_has_bodies_for_every_route_that_takes_one(name: str) -> None:
    document = APPS[name]().openapi()
    paths = [path for path, ways in document["paths"].items() if "post" in ways]
    assert paths
    assert set(paths) <= VALID.keys()
    for path in paths:
        fields = fields_of(document, path)
        assert fields or not document["paths"][path]["post"].get("requestBody")
        assert len(list(attacks_of(path, fields, 20_000))) > 0


def test_the_limits_are_those_of_the_servers() -> None:
    settings = Settings()
    assert {"/entropy/": settings.max_entropy_body_bytes, "": settings.max_body_bytes} == LIMITS


@pytest.mark.parametrize("path", [path for path in VALID if not path.startswith("/entropy/")])
def test_bodies_keep_within_the_limit_and_the_first_is_valid(path: str) -> None:
    fields = {"a_list": {"type": "array"}, "a_number": {"type": "integer"}}
    for attack in attacks_of(path, fields, LIMITS[""]):
        assert len(attack.body) <= LIMITS[""], attack.name
    assert json.loads(next(iter(attacks_of(path, fields, LIMITS[""]))).body) == VALID[path]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 0, 0), float("inf")), ((5, 5, 5), 0.01), ((3, 5, 5), 0.05), ((3, 4, 5), float("inf"))],
)
def test_the_bound_is_that_of_the_highest_bucket_with_a_new_hold(counts: tuple[int, ...], expected: float) -> None:
    labels = ('{le="0.01"}', '{le="0.05"}', '{le="+Inf"}')
    before = dict(zip(labels, (2.0, 3.0, 4.0), strict=True))
    after = {label: before[label] + new for label, new in zip(labels, counts, strict=True)}
    if counts == (0, 0, 0):
        expected = 0.01  # nothing is new, so nothing is above the lowest bound
    assert bound(before, after) == expected
