"""The short way of a command: from the middleware straight to its handler.

FastAPI's routing tries route by route and wraps each request in layers that a command does not need; measured, that
was half of a request's time. The routes stay declared there, for OpenAPI and for every other request; this finds the
handler of a command by its path's segments, in a tree.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.commanding import CommandRoute

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Node:
    """A place in the tree of paths: what follows by name, what follows whatever it is called, and what ends here."""

    named: dict[str, "Node"] = field(default_factory=dict)
    any: "Node | None" = None
    name: str = ""
    template: str = ""
    handlers: dict[str, Handler] = field(default_factory=dict)


class CommandLane:
    """Middleware that serves the commands itself and hands on everything else."""

    def __init__(self, app: ASGIApp, base: str, routes: Iterable[CommandRoute]) -> None:
        self._app = app
        self._root = Node()
        for route in routes:
            self._add(base + route.path, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any kind."""
        handler = self._find(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except Exception as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)

    def _add(self, path: str, route: CommandRoute) -> None:
        node = self._root
        for segment in path.split("/"):
            if segment.startswith("{"):
                node.any = node.any or Node(name=segment[1:-1])
                node = node.any
            else:
                node = node.named.setdefault(segment, Node())
        for method in route.methods or ():
            node.handlers[method] = route.get_route_handler()
        node.template = path

    def _find(self, scope: Scope) -> Handler | None:
        node: Node | None = self._root
        params: dict[str, str] = {}
        for segment in scope["path"].split("/"):
            assert node is not None
            named = node.named.get(segment)
            if named is None and (named := node.any) is not None:
                params[named.name] = segment
            if (node := named) is None:
                return None
        assert node is not None
        handler = node.handlers.get(scope["method"])
        if handler is not None:
            scope["path_params"] = params
            scope["template"] = node.template
        return handler
