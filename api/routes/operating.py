"""For those who operate an installation: alive, ready, version, public keys."""

import asyncio
from typing import Any

import psycopg
from fastapi import APIRouter, Request
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError
from starlette.responses import JSONResponse

from api.operating import Alive, KeySet, Ready, Running
from api.policies import Open, guarded
from api.services import Services
from api.version import VERSION
from projections import checkpoints, standing
from projections.checkpoints import Failure
from projections.registry import PROJECTIONS
from projections.standing import Standing

MOST_FAILURES = 5  # shown of each projection

router = APIRouter(tags=["operating"])


@router.get("/healthz", operation_id="isAlive", summary="Is the process alive", response_model=Alive)
@guarded(Open.PUBLIC)
async def is_alive() -> dict[str, str]:
    """Says nothing of the servers behind it."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    operation_id="isReady",
    summary="Can it do its work",
    response_model=Ready,
    responses={503: {"description": "It cannot, or the request is refused as others are", "model": Ready}},
)
@guarded(Open.PUBLIC)
async def is_ready(request: Request) -> JSONResponse:
    """PostgreSQL must answer. Redis may be away: pushes then come by polling. Shows how far projections are behind."""
    services: Services = request.app.state.services
    database, redis = await asyncio.gather(_database(services), _redis(services))
    ready = database["status"] == "ok"
    body = {"status": "ready" if ready else "not ready", "database": database, "redis": redis}
    return JSONResponse(body) if ready else JSONResponse(body, 503, {"Retry-After": "1"})


@router.get("/version", operation_id="getVersion", summary="What runs here", response_model=Running)
@guarded(Open.PUBLIC)
async def version(request: Request) -> dict[str, str]:
    """The version of the program and the epoch of the logs."""
    return {"version": VERSION, "epoch": request.app.state.services.epoch}


@router.get(
    "/.well-known/jwks.json",
    operation_id="getPublicKeys",
    summary="The keys that sign access tokens",
    response_model=KeySet,
)
@guarded(Open.PUBLIC)
async def jwks(request: Request) -> dict[str, Any]:
    """A JSON Web Key Set (RFC 7517)."""
    keys: dict[str, Any] = request.app.state.services.keys.jwks()
    return keys


async def _database(services: Services) -> dict[str, Any]:
    try:
        async with asyncio.timeout(2.0), services.pool.connection(timeout=2.0) as connection:
            standings = await standing.standings(connection, list(PROJECTIONS))
            failures = await checkpoints.failures(connection, list(PROJECTIONS), MOST_FAILURES)
    except (psycopg.Error, PoolTimeout, TimeoutError, OSError) as error:
        return {"status": "away", "error": type(error).__name__}
    return {"status": "ok", "projections": [_projection(each, failures) for each in standings]}


def _projection(stands: Standing, failures: list[Failure]) -> dict[str, Any]:
    return {
        "name": stands.projection,
        "lag": stands.lag,
        "behind": stands.behind,
        "failing": stands.failing,
        # Of the error only its kind: this page is for everybody, and what it says may quote the event.
        "first_failing": [
            {"workspace": each.workspace_id, "failed_at": each.failed_at, "error": each.error.partition(":")[0]}
            for each in failures
            if each.projection == stands.projection
        ],
    }


async def _redis(services: Services) -> dict[str, Any]:
    try:
        async with asyncio.timeout(1.0):
            await services.redis.ping()
    except (RedisError, TimeoutError, OSError) as error:
        return {"status": "away", "error": type(error).__name__}
    return {"status": "ok"}
