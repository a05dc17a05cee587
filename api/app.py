"""The application: routes, errors, middleware, and the life of its services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api import asyncapi, garbage, logs, openapi, problems
from api.commanding import CommandRoute
from api.defence.front import BASE, Front
from api.lane import CommandLane
from api.logs import AccessLog
from api.metrics import wiring
from api.metrics.requests import Requests
from api.middleware import Outermost
from api.routes import (
    attachments,
    auth,
    changes,
    checklist,
    comments,
    credentials,
    dependencies,
    exports,
    feeds,
    imports,
    invites,
    jobs,
    metrics,
    notifications,
    operating,
    pages,
    personal_tokens,
    projects,
    second_factor,
    sessions,
    sockets,
    subtasks,
    tags,
    tasks,
    teams,
    timesheet,
    users,
    watchers,
    workflows,
)
from api.services import Services
from api.settings import Settings
from api.version import VERSION

TALK = (comments, watchers, checklist, timesheet, attachments)
OF_TASKS = (tasks, subtasks, dependencies, *TALK)
PARTS = (teams, projects, workflows, tags, notifications, *OF_TASKS)
READS = (exports.reads, invites.reads, users.reads, *(part.reads for part in PARTS))
COMMANDS = (
    invites.commands,
    users.commands,
    second_factor.commands,
    *(part.commands for part in PARTS),
)
DESCRIPTION = """
Commands append events to a log; read tables follow it; sockets push every change.
Every answer names a position of that log, and every read can be asked to have reached one (`min_position`).
"""


class Application(FastAPI):
    """FastAPI, with our middleware and the lane of the commands before everything of its own."""

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind."""
        scope["app"] = self
        await self.front(scope, receive, send)


def create_app(settings: Settings) -> Application:
    """An application that connects when it starts, not before."""
    front = Front.of(settings)
    requests = Requests(BASE) if settings.metrics == "on" else None
    access_log = AccessLog(settings.log_format) if settings.log_level in ("DEBUG", "INFO") else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(settings.log_format, settings.log_level)
        services = Services.wire(settings, front)
        await services.start()
        app.state.services = services
        page = app.state.metrics = None if requests is None else wiring.of_api(services, requests)
        if page is not None:
            page.start()
        front.deadlines.start()
        garbage.settle()
        try:
            yield
        finally:
            if page is not None:
                await page.stop()
            await front.deadlines.stop()
            await services.stop()
            if access_log is not None:
                access_log.flush()

    app = Application(
        title="Taskfold",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the host that the client says
    )
    problems.install(app)
    openapi.install(app)
    for router in (
        imports.router,
        jobs.router,
        auth.router,
        auth.forms,
        credentials.router,
        *READS,
        *COMMANDS,
        changes.router,
    ):
        app.include_router(router, prefix=BASE)
    for router in (personal_tokens.router, feeds.router, sessions.router, second_factor.router):
        app.include_router(router, prefix=BASE)
    app.include_router(sockets.router)
    app.include_router(sockets.router, prefix=BASE)
    app.include_router(operating.router)
    app.include_router(pages.router)
    app.include_router(metrics.router)
    app.include_router(asyncapi.router)
    app.front = Outermost(_lane(app), settings.max_body_bytes, access_log, requests, front)
    return app


def _lane(app: Application) -> ASGIApp:
    """The commands by the short way, everything else by FastAPI's."""
    routes = [route for router in COMMANDS for route in router.routes]
    # What may hold slashes is no segment of a path: FastAPI finds those routes.
    short = [route for route in routes if isinstance(route, CommandRoute) and ":path}" not in route.path]
    return CommandLane(super(Application, app).__call__, BASE, short)
