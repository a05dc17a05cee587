"""Which methods a path has: what `Allow` says beside 405 (RFC 9110 §10.2.1). FastAPI looks at one route alone."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts


def allowed(app: FastAPI, path: str) -> list[str]:
    """The methods of all routes of a path. Where the path itself is one, templates that fit it too do not count."""
    fixed = {method for route in _routes(app) if route.path == path for method in route.methods or ()}
    return sorted(fixed or {m for route in _routes(app) if route.path_regex.match(path) for m in route.methods or ()})


def is_fixed(app: FastAPI, path: str) -> bool:
    """Whether a path stands for itself, although it looks like one with an id: `/tasks/search`."""
    return any(route.path == path for route in _routes(app))


def _routes(app: FastAPI) -> Iterator[RouteContext]:
    return (route for route in iter_route_contexts(app.routes) if route.methods)
