"""What an account may be called: its address, its name, and the name of its workspace."""

import re
from typing import Final

from domain.errors import Conflict, Invalid
from domain.text import check_line

EMAIL: Final = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
DISPLAY_NAME_MAX: Final = 200
MAIN: Final = "main"


def check_email(email: str) -> str:
    """An e-mail address, roughly: only a mail that arrives proves one."""
    stripped = email.strip()
    check_line(stripped, "/email", least=3, most=254)
    if EMAIL.fullmatch(stripped) is None:
        raise Invalid("email.malformed", "/email", "must be an e-mail address, name@host", email)
    return stripped


def check_slug(slug: str) -> str:
    """The name of a workspace, as it stands in URLs. Raises `Invalid`."""
    if SLUG.fullmatch(slug) is None:
        detail = "must be 1 to 40 of a-z, 0-9 and -, and neither begin nor end with -"
        raise Invalid("workspace.slug", "/workspace", detail, slug[:200])
    return slug


def check_display_name(name: str) -> str:
    """How somebody wants to be called."""
    return check_line(name, "/display_name", most=DISPLAY_NAME_MAX)


def email_taken() -> Conflict:
    """An address is one account's in a workspace, whatever its case."""
    return Conflict("account.email_taken", "an account with this e-mail address exists in this workspace")
