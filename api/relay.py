"""Who takes our mails: an SMTP server, as TASKFOLD_SMTP_URL names it."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

from commands.outbox import Posted

PORTS: Final = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
TIMEOUT_SECONDS: Final = 15.0  # for each answer of the server


class NotDeliverableError(Exception):
    """This mail will never be taken, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Relay:
    """An SMTP server and how to speak with it.

    `smtps` speaks TLS from the start, `smtp` insists on STARTTLS (RFC 3207; what is only done when offered, an attacker
    prevents), `smtp+plain` never encrypts and is for a server on the same machine or network. Certificates are checked.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str

    @classmethod
    def of(cls, url: str, sender: str) -> "Relay":
        """The server of a URL: `smtp://user:password@host:587`."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            sender=sender,
        )

    def send(self, mail: Posted) -> None:
        """Hand over a mail; blocks. Raises `NotDeliverableError`, `smtplib.SMTPException`, `OSError`."""
        message = self._message(mail)
        with self._connected() as server:
            if self.user:
                server.login(self.user, self.password)
            try:
                server.send_message(message, parseaddr(self.sender)[1], [mail.recipient])
            except smtplib.SMTPRecipientsRefused as error:
                code, said = error.recipients[mail.recipient]
                raise _refusal(code, said) from error
            except smtplib.SMTPDataError as error:
                raise _refusal(error.smtp_code, error.smtp_error) from error

    def _connected(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        if self.scheme == "smtp":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    def _message(self, mail: Posted) -> EmailMessage:
        message = EmailMessage()
        try:
            message["To"] = Address(addr_spec=mail.recipient)  # one address, whatever its text looks like
        except Exception as error:
            raise NotDeliverableError("the recipient is no address that a mail can go to") from error
        message["From"] = self.sender
        message["Subject"] = mail.subject
        message["Date"] = formatdate(mail.made_at.timestamp())
        # The same at each try, so that a mail that comes twice can be known for one.
        message["Message-ID"] = f"<{mail.mail_id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office notes, please
        message.set_content(mail.body or "")
        return message


def _refusal(code: int, said: bytes | str) -> Exception:
    """5xx is for good (RFC 5321 §4.2.1), 4xx for now."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return NotDeliverableError(f"{code} {text}") if code >= 500 else smtplib.SMTPResponseException(code, text)
