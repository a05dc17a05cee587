"""A small SMTP server for the tests: enough of RFC 5321, STARTTLS and AUTH to take a mail, or to refuse it."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Taken:
    """A mail as it came: from whom, to whom, whether encrypted, as which user, and its text."""

    sender: str
    recipients: list[str]
    encrypted: bool
    user: str | None
    message: EmailMessage


@dataclass
class SmtpServer:
    """What it has taken; `refusals` are answered to the next mails, at the step that each names."""

    port: int = 0
    context: ssl.SSLContext | None = None
    taken: list[Taken] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await Talk(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def refusal(self, verb: str) -> str | None:
        if self.refusals and self.refusals[0][0] == verb:
            return self.refusals.pop(0)[1]
        return None


class Talk:
    """One connection; each verb has its method."""

    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.encrypted = writer.get_extra_info("ssl_object") is not None
        self.user: str | None = None
        self.sender = ""
        self.recipients: list[str] = []

    def say(self, *lines: str) -> None:
        for number, line in enumerate(lines, 1):
            self.writer.write(f"{line[:3]}{' ' if number == len(lines) else '-'}{line[4:]}\r\n".encode())

    async def run(self) -> None:
        self.say("220 here")
        while line := (await self.reader.readline()).decode().rstrip():
            verb, _, rest = line.partition(" ")
            refusal = self.server.refusal(verb.upper())
            if refusal is None:
                await getattr(self, verb.lower(), self.other)(rest)
            else:
                self.say(refusal)

    async def ehlo(self, _: str) -> None:
        starttls = ["250 STARTTLS"] if self.server.context is not None and not self.encrypted else []
        self.say("250 here", "250 SMTPUTF8", "250 AUTH PLAIN", *starttls)

    async def starttls(self, _: str) -> None:
        assert self.server.context is not None
        self.say("220 go on")
        await self.writer.drain()
        await self.writer.start_tls(self.server.context)
        self.encrypted = True

    async def auth(self, rest: str) -> None:
        _, self.user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.say("235 welcome" if password == "p@ss:word" else "535 wrong")

    async def mail(self, rest: str) -> None:
        self.sender, self.recipients = rest[rest.index("<") + 1 : rest.index(">")], []
        self.say("250 yes")

    async def rcpt(self, rest: str) -> None:
        self.recipients.append(rest[rest.index("<") + 1 : rest.index(">")])
        self.say("250 yes")

    async def data(self, _: str) -> None:
        self.say("354 go on")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        message = message_from_bytes(raw[:-3].replace(b"\r\n", b"\n"), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.server.taken.append(Taken(self.sender, self.recipients, self.encrypted, self.user, message))
        self.say("250 taken")

    async def quit(self, _: str) -> None:
        self.say("221 bye")

    async def other(self, _: str) -> None:
        self.say("250 well")


@asynccontextmanager
async def smtp_server(context: ssl.SSLContext | None = None, *, tls: bool = False) -> AsyncIterator[SmtpServer]:
    """A server on a free port; with a context it offers STARTTLS, with `tls` it speaks TLS from the start."""
    here = SmtpServer(context=None if tls else context)
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0, ssl=context if tls else None)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A certificate that signs itself: the server's side of it, and the file by which a client trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(name))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
