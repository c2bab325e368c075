"""``/docs`` and ``/redoc``, with assets from an installed package, so that they work without the internet."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

ASSETS: Final = "/docs/assets"
OFF: Final[dict[str, Any]] = {"docs_url": None, "redoc_url": None, "swagger_ui_oauth2_redirect_url": None}
"""Options of an application whose own pages, which load their assets from the internet, are replaced by ours."""


def install(app: FastAPI) -> None:
    """Add the pages to ``app``."""
    title = app.title
    app.mount(ASSETS, StaticFiles(directory=_folder()), name="assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=title,
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # it would send the address of the document to the makers of the page
        )

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=title,
            redoc_js_url=f"{root}{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{ASSETS}/favicon.png",
            with_google_fonts=False,
        )


def lead_root(app: FastAPI) -> None:
    """Lead the root of ``app`` to its documentation."""

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


def _folder() -> Path:
    """The assets of fastapi-offline, whose code is not imported: it would build an application of its own."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"
