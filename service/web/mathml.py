"""``POST /mathml``: formulas for pages that show what models write."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, FailFast, Field, StringConstraints

from epf.core.errors import InvalidRequest
from epf.core.off_loop import in_thread
from epf.service.http.body import BoundedRoute
from epf.service.http.openapi import ANY_ERROR
from epf.service.web.maths import MAX_CHARS, all_of

router = APIRouter(tags=["page"], responses=ANY_ERROR, route_class=BoundedRoute)

MAX_FORMULAS = 32
MAX_TOTAL_CHARS = 4000
"""A request is rendered within some 0.1 s, in which other formulas and long texts wait."""

Latex = Annotated[str, StringConstraints(max_length=MAX_CHARS)]


class Formulas(BaseModel):
    """Formulas in LaTeX, without their delimiters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    latex: Annotated[list[Latex], FailFast()] = Field(
        max_length=MAX_FORMULAS, description=f"Formulas without delimiters, at most {MAX_TOTAL_CHARS} characters in all."
    )


class RenderedFormulas(BaseModel):
    """The same formulas in MathML."""

    mathml: list[str | None] = Field(description="One `math` element per formula; null for one that cannot be rendered.")


@router.post("/mathml")
async def render(body: Formulas) -> RenderedFormulas:
    """Render formulas as MathML."""
    n_chars = sum(map(len, body.latex))
    if n_chars > MAX_TOTAL_CHARS:
        message = f"`latex` may have at most {MAX_TOTAL_CHARS} characters in all, got {n_chars}: send fewer formulas at a time."
        raise InvalidRequest(message, param="latex")
    return RenderedFormulas(mathml=await in_thread(partial(all_of, body.latex)))
