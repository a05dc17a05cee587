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

    def reset(self, token: str) -> tuple[str, str]:
        """The subject and the text for who forgot the password; to whom they go is found out later."""
        return (
            "A new password for Taskfold",
            f"Somebody, probably you, asked for a new password at {self._url}.\n\n"
            f"To choose it within {RESET_MINUTES} minutes, follow this link. It can be used once:\n\n"
            f"{self._url}/reset#token={token}\n\n"
            "If that was not you, there is nothing to do: your password stays as it is.\n",
        )

    def password_changed(self, recipient: str) -> Mail:
        """To whom the account belongs, in case it was somebody else (OWASP ASVS 5.0, 6.3.7)."""
        return Mail(
            recipient,
            "Your password for Taskfold was changed",
            f"The password of your account at {self._url} was changed, and your other sessions have ended.\n\n"
            "If that was not you, ask for a new password now, and tell an administrator.\n",
        )

    def second_factor(self, recipient: str, *, added: bool) -> Mail:
        """To whom the account belongs, in case it was somebody else (OWASP ASVS 5.0, 6.3.7)."""
        now = "asks for a second factor now" if added else "asks for no second factor any more"
        return Mail(
            recipient,
            f"Your login to Taskfold {now}",
            f"The login to your account at {self._url} {now}.\n\n"
            "If that was not you, change your password now, and tell an administrator.\n",
        )

    def confirm_email(self, recipient: str, token: str) -> Mail:
        """To the new address: who has the token can read its mail."""
        return Mail(
            recipient,
            "Confirm your new address for Taskfold",
            f"Somebody, probably you, wants to use this address at {self._url}.\n\n"
            f"To confirm it within {EMAIL_HOURS} hours, follow this link. It can be used once:\n\n"
            f"{self._url}/confirm#token={token}\n\n"
            "If that was not you, there is nothing to do.\n",
        )

    def email_changing(self, recipient: str) -> Mail:
        """To the old address. The new one is not named: who reads this may not be who may know it."""
        return Mail(
            recipient,
            "Your address for Taskfold is about to change",
            f"Somebody, probably you, asked for another address for your account at {self._url}.\n"
            "It changes when the new address is confirmed.\n\n"
            "If that was not you, change your password now, which undoes it, and tell an administrator.\n",
        )
