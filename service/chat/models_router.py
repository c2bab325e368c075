"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from epf.service.chat.resolve import model_names, options_of
from epf.service.http.openapi import ANY_ERROR
from epf.service.state import RunningSearches, ServerSettings

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses=ANY_ERROR)

STARTED = int(time.time())


class ModelOut(BaseModel):
    """A model name for chat requests."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(STARTED, description="Start time of this server, in seconds since 1970.")
    owned_by: str = "entropic-particle-filtering"


class ModelList(BaseModel):
    """The generator, and each method that is served, without and with common numbers of particles. Others work too."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


@router.get("/models")
async def list_models(searches: RunningSearches, settings: ServerSettings) -> ModelList:
    """List the model names for chat requests."""
    names = model_names(searches.models, settings.max_particles)
    return ModelList(data=[ModelOut(id=name) for name in names])


@router.get("/models/{id:path}")
async def get_model(id: str, searches: RunningSearches, settings: ServerSettings) -> ModelOut:
    """Return one model by its name, which may contain slashes: the generator, epf, epf-16, beam-8 ..."""
    options_of(id, searches.models, settings.max_particles)
    return ModelOut(id=id)
