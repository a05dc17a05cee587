"""The application: routes, errors, middleware, and the life of its services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api import asyncapi, logs, openapi, problems
from api.commanding import CommandRoute
from api.lane import CommandLane
from api.middleware import Outermost
from api.routes import auth, changes, operating, sockets, tasks, users
from api.services import Services
from api.settings import Settings
from api.version import VERSION

BASE = "/api/v1"
DESCRIPTION = """
Commands append events to a log; read tables follow it; sockets push every change.
Every answer names a position of that log, and every read can be asked to have reached one (`min_position`).
"""


def create_app(settings: Settings) -> FastAPI:
    """An application that connects when it starts, not before."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(settings.log_format, settings.log_level)
        services = Services.wire(settings)
        await services.start()
        app.state.services = services
        try:
            yield
        finally:
            await services.stop()

    app = FastAPI(title="Taskfold", version=VERSION, description=DESCRIPTION, lifespan=lifespan, redoc_url=None)
    problems.install(app)
    for router in (auth.router, users.reads, users.commands, tasks.reads, tasks.commands, changes.router):
        app.include_router(router, prefix=BASE)
    app.include_router(sockets.router)
    app.include_router(sockets.router, prefix=BASE)
    app.include_router(operating.router)
    app.add_api_route("/asyncapi.json", asyncapi.document, operation_id="getAsyncApi", tags=["operating"])
    lane = [route for router in (users.commands, tasks.commands) for route in router.routes]
    app.add_middleware(CommandLane, base=BASE, routes=[route for route in lane if isinstance(route, CommandRoute)])
    openapi.install(app)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["ETag", "Location", "Link", "Taskfold-Position", "Taskfold-Epoch", "X-Request-ID"],
        )
    app.add_middleware(Outermost, max_body_bytes=settings.max_body_bytes)
    return app
