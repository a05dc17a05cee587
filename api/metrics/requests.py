"""Counting HTTP requests by the template of their route: a raw path would make a series of every id."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import Metric
from starlette.types import Scope

from api.metrics import families
from domain.tally import Tally

REQUEST_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED: Final = "unmatched"
DOCUMENTS: Final = frozenset({"/openapi.json", "/docs"})  # FastAPI's own routes, which it does not leave in the scope

Kind = tuple[str, str, int]  # method, template, and the first digit of the status; 0 where there was no answer


def template_of(scope: Scope, base: str) -> str:
    """The route that was chosen. One of FastAPI's does not know the prefix under which its router was included."""
    if (known := scope.get("template")) is not None:
        return str(known)
    path = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", None)
    if not path:
        return scope["path"] if scope["path"] in DOCUMENTS else UNMATCHED
    inside = scope["path"].startswith(base) and not path.startswith(base)
    return f"{base}{path}" if inside else str(path)


class Requests:
    """The requests of a process. `base` is the prefix under which the routes were included."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._tallies: dict[Kind, Tally] = {}

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        kind = (scope["method"], template_of(scope, self._base), status // 100)
        tally = self._tallies.get(kind)
        if tally is None:
            if kind[0] not in METHODS:
                kind = ("other", *kind[1:])
            tally = self._tallies.setdefault(kind, Tally(REQUEST_SECONDS))
        tally.add(seconds)

    def collect(self) -> Iterator[Metric]:
        """The families."""
        by_route: dict[tuple[str, str], Tally] = {}
        for (method, route, _), tally in self._tallies.items():
            by_route.setdefault((method, route), Tally(REQUEST_SECONDS)).merge(tally)
        counts = {
            (method, route, f"{status}xx" if status else "none"): tally.count
            for (method, route, status), tally in self._tallies.items()
        }
        yield families.counters(
            "taskfold_http_requests_total",
            "HTTP requests that have ended, by method, template of the route, and class of the status (none: the"
            " client went away before the answer).",
            ("method", "route", "status"),
            counts,
        )
        yield families.histograms(
            "taskfold_http_request_seconds",
            "Time from the first byte of an HTTP request to the end of its answer, by method and template of the"
            " route.",
            ("method", "route"),
            by_route.items(),
        )
