"""The mails that the program writes. No name or other text of a user stands in one: nobody can speak through us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from commands.ids import new_id

INVITE_DAYS: Final = 7
RESET_MINUTES: Final = 30
EMAIL_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail for one address."""

    recipient: str
    subject: str
    body: str

    def row(self) -> Mapping[str, str]:
        """As the outbox takes it, under a new id."""
        return {"mail_id": new_id(), "recipient": self.recipient, "subject": self.subject, "body": self.body}


class Mails:
    """Writes mails. `public_url` is where people reach this installation.

    A token stands behind the `#` of a link: that part is sent to no server, so it gets into no log and no `Referer`.
    """

    def __init__(self, public_url: str) -> None:
        self._url = public_url.rstrip("/")

    def invite(self, recipient: str, workspace: str, token: str) -> Mail:
        """To whom somebody wants to join."""
        return Mail(
            recipient,
            f"You are invited to the workspace {workspace} of Taskfold",
            f"Somebody invited you to the workspace {workspace} at {self._url}.\n\n"
            f"To join within {INVITE_DAYS} days, follow this link. It can be used once:\n\n"
            f"{self._url}/join#invite={token}\n\n"
            "If you expected nothing like this, there is nothing to do.\n",
        )
