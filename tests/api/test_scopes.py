"""What each route asks of a personal access token."""

import pytest

from api.app import create_app
from api.defence.front import BASE
from api.scopes import Scope, needed
from api.settings import Settings
from api.tokens import FACTOR
from tests.house import SECRET


def operations() -> list[tuple[str, str]]:
    """Every operation of the program: method, and path below the base."""
    settings = Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere", secret_key=SECRET)
    paths = create_app(settings).openapi()["paths"]
    return [
        (method.upper(), path.removeprefix(BASE))
        for path, methods in paths.items()
        if path.startswith(BASE)
        for method in methods
    ]


def test_reads_need_read_and_commands_need_another() -> None:
    found = {(method, path): needed(method, path) for method, path in operations()}
    assert {Scope.READ, Scope.WRITE, Scope.ADMIN, FACTOR, None} == set(found.values())
    assert FACTOR not in set(Scope), "no personal token has it"
    for (method, path), scope in found.items():
        if path.startswith("/auth/second-factor"):
            assert scope == FACTOR, path
        elif path.startswith("/auth/"):
            assert scope is None, path
        elif method == "GET":
            assert scope is Scope.READ, path
        elif path.startswith(("/users/", "/teams", "/projects", "/workflows")) and path != "/users/profile":
            assert scope in (Scope.ADMIN, None), path
        elif path.startswith("/feeds"):
            assert scope is None, "a feed outlives the token by which it was made"
        else:
            assert scope is Scope.WRITE, path


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/auth/tokens", None),
        ("POST", "/auth/password", None),
        ("POST", "/users/{user_id}/second-factor/reset", None),
        ("DELETE", "/auth/sessions/{session_id}", None),
        ("POST", "/users/profile/email", None),
        ("GET", "/users/profile", Scope.READ),
        ("PUT", "/users/profile", Scope.WRITE),
        ("POST", "/users", Scope.ADMIN),
        ("POST", "/users/invites", Scope.ADMIN),
        ("POST", "/users/{user_id}/deactivate", Scope.ADMIN),
        ("POST", "/teams", Scope.ADMIN),
        ("PUT", "/teams/{team_id}/members/{user_id}", Scope.ADMIN),
        ("HEAD", "/tasks", Scope.READ),
        ("POST", "/tasks", Scope.WRITE),
        ("POST", "/authors", Scope.WRITE),
        ("POST", "/usersof", Scope.WRITE),
        ("BREW", "/users/{user_id}", Scope.ADMIN),
    ],
)
def test_a_route_asks_by_the_longest_path_that_fits(method: str, path: str, scope: Scope | None) -> None:
    assert needed(method, path) is scope
