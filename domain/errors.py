"""The one family of refusals in the core. HTTP statuses are mapped in `api/problems.py`, nowhere else."""

from collections.abc import Mapping
from typing import Any


class Rejection(Exception):  # noqa: N818  (a verdict, not a failure of the program)
    """A request that the rules refuse.

    `code` is stable and documented (`task.illegal_move`); `detail` names the refused value and what was
    expected, for a person; `extra` carries the same for a program, as members of the problem document.
    `about` is the id of the user whom it concerns, for the log alone.
    """

    about: str | None = None

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra: Mapping[str, Any] = extra


class Malformed(Rejection):
    """The request cannot be read at all."""


class Unauthenticated(Rejection):
    """Nobody known is asking."""


class MoreProof(Unauthenticated):
    """The password was right, and a second factor is asked for: nobody guessed at anything."""


class Forbidden(Rejection):
    """The asker knows that the thing exists, and may not do this to it."""


class WrongPassword(Forbidden):
    """The asker is known, and has not proved to be more than who holds the token: it counts as a guess."""


class NotFound(Rejection):
    """Unknown, or not visible to the asker: the two are one answer on purpose."""


class Conflict(Rejection):
    """The state of the thing does not allow it."""


class Stale(Rejection):
    """The version named in `If-Match` is no longer the current one."""


class Invalid(Rejection):
    """A value breaks a rule. `field` is its JSON pointer (RFC 6901)."""

    def __init__(self, code: str, field: str, detail: str, value: Any = None) -> None:
        super().__init__(code, detail, errors=[{"pointer": field, "detail": detail, "value": value}])


class Unsupported(Rejection):
    """Of a kind that is not taken."""


class Undone(Rejection):
    """Not done because of another command that was to be done with it, or before it."""


class Unavailable(Rejection):
    """Not now: try again after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int = 1, **extra: Any) -> None:
        super().__init__(code, detail, **extra)
        self.retry_after = retry_after


class Throttled(Rejection):
    """Too often: try again after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int = 1, **extra: Any) -> None:
        super().__init__(code, detail, **extra)
        self.retry_after = retry_after


def pointed(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) to what is called so, from the outside in."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
