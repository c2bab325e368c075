"""What a route may ask for."""

from typing import Annotated

from fastapi import Depends, Request

from service.models import Models


def loaded_models(request: Request) -> Models:
    """What the application's lifespan loaded."""
    models: Models = request.app.state.models
    return models


LoadedModels = Annotated[Models, Depends(loaded_models)]
