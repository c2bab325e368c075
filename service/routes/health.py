"""``GET /healthz``."""

from fastapi import APIRouter

from service.dependencies import LoadedModels
from service.schemas import Health
from service.version import VERSION

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz(models: LoadedModels) -> Health:
    """The process is alive and its models are loaded."""
    return Health(version=VERSION, generator=models.generator.name, reward_model=models.reward_model.name)
