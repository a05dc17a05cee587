"""What somebody who watches for attacks wants to see (OWASP ASVS 5.0, V16.3): who came in and how, who was refused, and
who changed what others may do. People are named by their ids; no names, addresses of mail, or secrets get here.
"""

import logging
from typing import Any, Final, Protocol

from starlette.types import Scope

from api.defence.front import BASE
from api.defence.secrets import logged
from api.metrics.requests import template_of
from domain.errors import Rejection

log: Final = logging.getLogger("taskfold.security")

WHO: Final = "taskfold.who"  # in the scope: whoever is known to ask
ABOUT: Final = "taskfold.about"  # in the scope: the user whom it concerns, where nobody is logged in yet
ADDRESS: Final = "taskfold.address"  # in the scope: from where

# What it is called when an operation succeeds: by method and template.
EVENTS: Final = {
    ("POST", f"{BASE}/auth/register"): "account registered",
    ("POST", f"{BASE}/auth/login"): "session opened",
    ("POST", f"{BASE}/auth/refresh"): "session refreshed",
    ("POST", f"{BASE}/auth/logout"): "session ended",
    ("DELETE", f"{BASE}/auth/sessions/{{session_id}}"): "session ended",
    ("DELETE", f"{BASE}/auth/sessions"): "other sessions ended",
    ("POST", f"{BASE}/auth/ws-ticket"): "ticket issued",
    ("POST", f"{BASE}/auth/proof"): "password given again",
    ("POST", f"{BASE}/auth/password"): "password changed",
    ("POST", f"{BASE}/auth/password/forgot"): "password forgotten",
    ("POST", f"{BASE}/auth/password/reset"): "password reset",
    ("POST", f"{BASE}/auth/email"): "another address asked for",
    ("POST", f"{BASE}/auth/email/confirm"): "address changed",
    ("POST", f"{BASE}/auth/second-factor"): "second factor begun",
    ("POST", f"{BASE}/auth/second-factor/confirm"): "second factor added",
    ("POST", f"{BASE}/auth/second-factor/remove"): "second factor removed",
    ("POST", f"{BASE}/auth/second-factor/recovery-codes"): "recovery codes renewed",
    ("POST", f"{BASE}/users/{{user_id}}/second-factor/reset"): "second factor reset",
    ("POST", f"{BASE}/auth/tokens"): "token made",
    ("DELETE", f"{BASE}/auth/tokens/{{token_id}}"): "token revoked",
    ("POST", f"{BASE}/feeds"): "feed made",
    ("DELETE", f"{BASE}/feeds/{{feed_id}}"): "feed withdrawn",
    ("POST", f"{BASE}/users/invites"): "invite made",
    ("DELETE", f"{BASE}/users/invites/{{invite_id}}"): "invite withdrawn",
    ("PUT", f"{BASE}/users/{{user_id}}/role"): "role changed",
    ("POST", f"{BASE}/users/{{user_id}}/deactivate"): "user deactivated",
    ("POST", f"{BASE}/users/{{user_id}}/reactivate"): "user reactivated",
    ("PUT", f"{BASE}/teams/{{team_id}}/members/{{user_id}}"): "team member changed",
    ("DELETE", f"{BASE}/teams/{{team_id}}/members/{{user_id}}"): "team member removed",
}

# Refusals that say nothing: a client without a token, with one whose time is over, or at one step of several.
ROUTINE: Final = frozenset(
    {"auth.missing", "auth.otp_needed", "auth.factor_needed", "auth.token_expired", "auth.proof_needed"}
)


class Who(Protocol):
    """Somebody who is known: an `Identity`, or a `Session`."""

    @property
    def user_id(self) -> str:
        """The user."""

    @property
    def session_id(self) -> str:
        """The session, or the personal token."""


def told(scope: Scope, status: int) -> None:
    """Note an operation that has ended, where it is one of those."""
    event = EVENTS.get((scope["method"], template_of(scope, BASE)))
    if event is not None and 200 <= status < 300:
        log.info(event, extra=_circumstances(scope))


def refused(scope: Scope, rejection: Rejection) -> None:
    """Note that somebody could not prove to be somebody, or was not allowed something."""
    if rejection.code.startswith("auth.") and rejection.code not in ROUTINE:
        log.warning("refused", extra={"code": rejection.code, **_circumstances(scope, rejection.about)})


def _circumstances(scope: Scope, about: str | None = None) -> dict[str, Any]:
    who: Who | None = scope.get(WHO)
    return {
        "request_id": scope.get("request_id"),
        "method": scope.get("method"),
        "path": logged(scope["path"]).encode("utf-8", "backslashreplace").decode(),
        "user": None if who is None else who.user_id,
        "session": None if who is None else who.session_id,
        "about": about or scope.get(ABOUT),
        "address": scope.get(ADDRESS),
    }
