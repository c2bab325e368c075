"""``POST /mathml`` renders what models write as formulas, and returns nothing that could harm a page that shows it."""

import asyncio
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epf.service.app import create_app
from epf.service.web.maths import ATTRIBUTES, ELEMENTS, MATHML, mathml_of
from tests.fakes import ScriptedGenerator, ScriptedRewardModel
from tests.service.serving import client_of


def posted(body: dict[str, Any]) -> httpx.Response:
    async def scenario() -> httpx.Response:
        async with client_of(create_app(ScriptedGenerator(), ScriptedRewardModel())) as client:
            return await client.post("/mathml", json=body)

    return asyncio.run(scenario())


def test_formulas_are_rendered_in_order_and_others_are_null() -> None:
    mathml = posted({"latex": [r"\frac{1}{2}", r"\unclosed{", r"\begin{cases}x&y\\z&w\end{cases}"]}).json()["mathml"]
    assert "<mfrac>" in mathml[0]
    assert mathml[1] is None
    assert mathml[2].count("<mtr>") == 2


@pytest.mark.parametrize(
    "latex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(http://example.org)}{x}",
        r"\class{a}{x}",
        r"\text{<script>alert(1)</script>}",
        r"\text{<img src='x' onerror='alert(1)'/>}",
        r"\color{red\"onload=\"x}{y}",
        r"\rule{1000em}{1000em}",
        r"\hspace{99999em}x",
    ],
)
def test_what_no_formula_needs_is_left_out(latex: str) -> None:
    (mathml,) = posted({"latex": [latex]}).json()["mathml"]
    for word in ("javascript", "http://example", "class", "style=", "script>", "img", "onload", "00em", "99em"):
        assert word not in (mathml or "")


def test_a_request_of_too_many_characters_is_refused() -> None:
    error = posted({"latex": ["x" * 500] * 9}).json()["error"]
    assert error["message"] == "`latex` may have at most 4000 characters in all, got 4500: send fewer formulas at a time."


COMMANDS = (
    r"\href",
    r"\style",
    r"\class",
    r"\text",
    r"\frac",
    r"\color",
    "{",
    "}",
    "<script>",
    "</mtext>",
    '"',
    "&",
    "x",
    "^",
    "_",
)


@given(st.lists(st.sampled_from(COMMANDS), max_size=20).map("".join))
def test_whatever_is_written_only_elements_of_formulas_come_out(latex: str) -> None:
    mathml = mathml_of(latex)
    if mathml is not None:
        for element in ElementTree.fromstring(mathml).iter():
            assert element.tag.removeprefix(f"{{{MATHML}}}") in ELEMENTS
            assert set(element.attrib) <= ATTRIBUTES
