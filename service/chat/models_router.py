"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from epf.service.chat.model_names import listed, options_of
from epf.service.http.dependencies import LoadedModels, ServerSettings
from epf.service.solve.schemas import ErrorBody

router = APIRouter(prefix="/v1", tags=["OpenAI"], responses={"default": {"model": ErrorBody, "description": "Any error"}})

STARTED = int(time.time())


class ModelOut(BaseModel):
    """One name that a chat may ask for."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(STARTED, description="When this server started, in seconds since 1970.")
    owned_by: str = "entropic-particle-filtering"


class ModelList(BaseModel):
    """The generator, and each search method bare and with usual numbers of particles; other numbers are served too."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


@router.get("/models")
async def list_models(models: LoadedModels, settings: ServerSettings) -> ModelList:
    """Names that a chat may ask for."""
    return ModelList(data=[ModelOut(id=name) for name in listed(models.generator.name, settings.max_particles)])


@router.get("/models/{id:path}")
async def get_model(id: str, models: LoadedModels, settings: ServerSettings) -> ModelOut:
    """One model by its name, which may have slashes: the generator, epf, epf-16, beam-8 ..."""
    options_of(id, models.generator.name, settings.max_particles)
    return ModelOut(id=id)
