"""The application: routes found by file name, security around them, errors as problem+json."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from nas.service import pages, routes
from nas.service.problems import answer_problems
from nas.service.security.audit import Audited
from nas.service.security.guard import Guard
from nas.service.service import Service
from search_spaces.core.by_file import file_names

API = "/api/v1"


def create_app(service: Service) -> FastAPI:
    """The application of one service. Its own documents lie at /api/v1/openapi.json; no page loads from elsewhere."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="FitNAS", version="1", openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.service = service
    answer_problems(app)
    for name in file_names(routes.__path__):
        module = importlib.import_module(f"nas.service.routes.{name}")
        app.include_router(module.router, prefix=getattr(module, "BELOW", API))
    app.include_router(pages.router)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Guard, settings=service.settings)
    app.add_middleware(Audited, store=service.store)
    return app
