"""How far a personal access token reaches. Whoever logged in is not bounded by scopes, but by their role alone."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from api.tokens import FACTOR, Identity
from domain.errors import Forbidden


class Scope(StrEnum):
    """What a token may be used for, as far as the role of its owner goes."""

    READ = "read"  # every safe method, and sockets
    WRITE = "write"  # commands on tasks and what belongs to them, and one's own profile
    ADMIN = "admin"  # commands on members, roles, invites, teams, projects and workflows


SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# What a command needs. A path that ends with / stands for all below it; the longest one that fits counts. None: no
# personal token will do. So one that is stolen makes no other and changes nothing by which its owner logs in.
_COMMANDS: Final[Mapping[str, Scope | None]] = {
    "/": Scope.WRITE,
    "/users": Scope.ADMIN,
    "/users/": Scope.ADMIN,
    "/users/profile": Scope.WRITE,
    "/users/profile/": None,
    "/feeds": None,
    "/feeds/": None,
    "/users/{user_id}/second-factor/": None,
    "/projects": Scope.ADMIN,
    "/projects/": Scope.ADMIN,
    "/teams": Scope.ADMIN,
    "/teams/": Scope.ADMIN,
    "/workflows": Scope.ADMIN,
    "/workflows/": Scope.ADMIN,
}


@lru_cache(maxsize=1_000)
def needed(method: str, template: str) -> str | None:
    """What a route asks of a personal token, by the route's own template: never by the path of a request.

    Nothing below `/auth` is for personal tokens, lists of sessions and tokens included.
    """
    if template.startswith("/auth/second-factor"):
        return FACTOR
    if template.startswith("/auth/"):
        return None
    if method in SAFE:
        return Scope.READ
    return next(_COMMANDS[path] for path in _upwards(template) if path in _COMMANDS)


def check(identity: Identity, scope: str | None) -> None:
    """Raises `Forbidden` `auth.scope` where a personal token does not reach, or `auth.factor_needed`."""
    if identity.scopes is None or scope in identity.scopes:
        return
    refused = Forbidden("auth.scope", "this is for people who have logged in, not for personal access tokens")
    if FACTOR in identity.scopes:
        detail = "this installation asks for a second factor: POST /auth/second-factor, confirm it, and refresh"
        refused = Forbidden("auth.factor_needed", detail)
    elif scope is not None and scope != FACTOR:
        has = ", ".join(sorted(identity.scopes))
        detail = f"this needs a personal access token with the scope {str(scope)!r}; it has {has}"
        refused = Forbidden("auth.scope", detail, needed=str(scope))
    refused.about = identity.user_id
    raise refused


def _upwards(template: str) -> Iterator[str]:
    """A path, and what it is below: `/a/b`, `/a/`, `/`."""
    yield template
    while template:
        template = template.rpartition("/")[0]
        yield f"{template}/"
