"""Which methods a path has: what `Allow` says beside 405 (RFC 9110 §10.2.1). FastAPI looks at one route alone."""

import re
from collections.abc import Iterator
from typing import Final

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

_PARAMETER: Final = re.compile(r"{[^}]*}")


def allowed(app: FastAPI, path: str) -> list[str]:
    """The methods of all routes of a path. Of templates that fit it only the nearest counts: the one that leaves least
    open, as a path itself leaves nothing.
    """
    fitting = [route for route in _routes(app) if route.path_regex.match(path)]
    nearest = max((_said(route.path or "") for route in fitting), default=0)
    return sorted({method for route in fitting if _said(route.path or "") == nearest for method in route.methods or ()})


def _said(template: str) -> int:
    return len(_PARAMETER.sub("", template))


def is_fixed(app: FastAPI, path: str) -> bool:
    """Whether a path stands for itself, although it looks like one with an id: `/tasks/search`."""
    return any(route.path == path for route in _routes(app))


def _routes(app: FastAPI) -> Iterator[RouteContext]:
    return (route for route in iter_route_contexts(app.routes) if route.methods)
