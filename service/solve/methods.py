"""``GET /methods``: what a program that offers searches has to know about this server."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from epf.search.methods import METHODS
from epf.search.options import MethodName, SearchOptions
from epf.search.runner import with_defaults
from epf.service.http.openapi import ANY_ERROR
from epf.service.state import RunningSearches, ServerSettings

router = APIRouter(tags=["search"], responses=ANY_ERROR)

PRIVATE = frozenset({"system_prompt"})
"""Options whose defaults are the operator's own texts."""


class MethodOut(BaseModel):
    """A search method that this server can run."""

    name: MethodName
    summary: str
    options: list[str] = Field(description="Names of the options that the method reads; others are refused.")
    defaults: dict[str, Any] = Field(description="Values of those options that a request does not set, without system prompts.")


class Limits(BaseModel):
    """Limits of one request on this server."""

    max_particles: int
    max_problem_chars: int = Field(description="Maximum length of a problem in characters.")
    max_seconds: float = Field(description="Maximum duration of a search in seconds.")


class MethodList(BaseModel):
    """The methods of this server, its models and its limits."""

    default: MethodName = Field(description="Method of a request that names none.")
    methods: list[MethodOut]
    limits: Limits
    models: dict[str, str] = Field(description="Name of each model, by its role.")
    keeps_searches: bool = Field(description="Whether the server keeps searches, for GET /searches.")


@router.get("/methods")
async def list_methods(searches: RunningSearches, settings: ServerSettings) -> MethodList:
    """List the search methods that this server can run, with the options that they read and their defaults."""
    models = searches.models
    scored_by = {} if models.reward_model is None else {"reward_model": models.reward_model.name}

    def defaults(**choices: Any) -> SearchOptions:
        return with_defaults(choices, settings.search, has_reward_model=models.has_reward_model, profile=settings.learned)

    return MethodList(
        default=defaults().method,
        methods=[
            MethodOut(
                name=name,
                summary=method.summary,
                options=[option for option in SearchOptions.model_fields if method.reads(option)],
                defaults={
                    option: value
                    for option, value in defaults(method=name).model_dump(mode="json", exclude=set(PRIVATE)).items()
                    if method.reads(option)
                },
            )
            for name, method in METHODS.items()
            if models.serve(method)
        ],
        limits=Limits(
            max_particles=settings.max_particles,
            max_problem_chars=settings.max_problem_chars,
            max_seconds=settings.max_seconds,
        ),
        models={"generator": models.generator.name, **scored_by},
        keeps_searches=settings.store is not None,
    )
