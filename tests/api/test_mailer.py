"""The mailer against a real SMTP server: what goes out, over which connection, and what becomes of what does not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.metrics_core import Metric

from api.database import Pool
from api.mailer import Mailer
from api.metrics.reading import Behind, mailed
from api.relay import Relay
from commands.mails import Mail
from commands.outbox import KEPT_DAYS, Outbox, post
from tests.house import Database, until
from tests.smtp import SmtpServer, certificate, smtp_server

SENDER = "Taskfold <tasks@example.org>"
MAIL = Mail("ada@example.com", "A subject", "A secret: \u00fc-1234\n")

Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as here:
        yield here


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as connection:
        yield connection


def plain(server: SmtpServer) -> Relay:
    return Relay.of(f"smtp+plain://127.0.0.1:{server.port}", SENDER)


async def posted(pool: Pool, *mails: Mail) -> None:
    async with pool.connection() as connection:
        await post(connection, *(mails or (MAIL,)))


async def rows(pool: Pool) -> list[tuple[Any, ...]]:
    """recipient, body, whether sent, tries, error, whether it is due later, whether it is given up."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            SELECT recipient, body, sent_at IS NOT NULL, tries, error, due_at > clock_timestamp(), due_at = 'infinity'
            FROM outbox ORDER BY mail_id
            """
        )
        return await cursor.fetchall()


async def drained(mailer: Mailer) -> None:
    while await mailer.run_once():
        pass


async def test_a_mail_goes_out_once_and_what_it_said_is_forgotten(pool: Pool, server: SmtpServer) -> None:
    await posted(pool)
    mailer = Mailer(Outbox(pool), plain(server))
    await drained(mailer)
    [taken] = server.taken
    assert (taken.sender, taken.recipients, taken.encrypted) == ("tasks@example.org", ["ada@example.com"], False)
    assert taken.message["To"] == "ada@example.com"
    assert taken.message["From"] == SENDER
    assert taken.message["Subject"] == "A subject"
    assert taken.message["Auto-Submitted"] == "auto-generated"
    assert taken.message["Message-ID"].endswith("@example.org>")
    assert taken.message.get_content() == "A secret: \u00fc-1234\n"
    assert await rows(pool) == [("ada@example.com", None, True, 1, None, True, False)]
    assert (mailer.sent, mailer.failed) == (1, 0)


async def test_a_mail_for_nobody_never_goes_out(pool: Pool, server: SmtpServer) -> None:
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO outbox (mail_id, subject) VALUES (gen_random_uuid(), 'x')")
    await drained(Mailer(Outbox(pool), plain(server)))
    assert server.connections == 0


async def test_without_a_server_mails_wait(pool: Pool) -> None:
    await posted(pool)
    assert not await Mailer(Outbox(pool), None).run_once()
    assert await rows(pool) == [("ada@example.com", MAIL.body, False, 0, None, False, False)]


async def test_several_mailers_send_each_mail_once(pool: Pool, server: SmtpServer) -> None:
    await posted(pool, *[Mail(f"user{n}@example.com", "x", "y") for n in range(20)])
    mailers = [Mailer(Outbox(pool), plain(server)) for _ in range(4)]
    await asyncio.gather(*[drained(mailer) for mailer in mailers])
    assert sorted(taken.recipients[0] for taken in server.taken) == sorted(f"user{n}@example.com" for n in range(20))
    assert sum(mailer.sent for mailer in mailers) == 20


async def test_a_mailer_that_dies_with_a_mail_in_hand_leaves_it_to_the_next(
    pool: Pool, server: SmtpServer, owner: Connection
) -> None:
    await posted(pool)
    dead = await Outbox(pool).take()
    assert dead is not None
    await drained(Mailer(Outbox(pool), plain(server)))
    assert server.taken == []  # the dead one might still be at it
    await owner.execute("UPDATE outbox SET due_at = clock_timestamp()")
    await drained(Mailer(Outbox(pool), plain(server)))
    assert [taken.message["Message-ID"] for taken in server.taken] == [f"<{dead.mail_id}@example.org>"]


@pytest.mark.parametrize(
    ("refusal", "for_good"),
    [
        (("RCPT", "550 no such mailbox"), True),
        (("RCPT", "450 not now"), False),
        (("DATA", "554 I do not like it"), True),
        (("DATA", "451 not now"), False),
        (("MAIL", "550 who are you"), False),
        (("MAIL", "421 closing"), False),
    ],
)
async def test_what_is_refused_is_tried_again_unless_that_is_no_use(
    pool: Pool, server: SmtpServer, owner: Connection, refusal: tuple[str, str], for_good: bool
) -> None:
    server.refusals = [refusal]
    await posted(pool)
    mailer = Mailer(Outbox(pool), plain(server))
    assert await mailer.run_once()
    [(_, body, sent, tries, error, later, given_up)] = await rows(pool)
    assert (body, sent, tries, later, given_up) == (MAIL.body, False, 1, True, for_good)
    assert error
    assert not await mailer.run_once(), "not before it is due"
    if not for_good:
        await owner.execute("UPDATE outbox SET due_at = clock_timestamp()")
        await drained(mailer)
        assert await rows(pool) == [("ada@example.com", None, True, 2, None, True, False)]


async def test_tries_come_ever_later_up_to_an_hour(pool: Pool, owner: Connection) -> None:
    await posted(pool)
    mailer = Mailer(Outbox(pool), Relay.of("smtp+plain://127.0.0.1:1", SENDER))
    waits = []
    for _ in range(12):
        await owner.execute("UPDATE outbox SET due_at = clock_timestamp()")
        assert await mailer.run_once()
        cursor = await owner.execute(
            "SELECT round(extract(epoch FROM due_at - clock_timestamp()) / 60)::integer FROM outbox"
        )
        waits += [row[0] for row in await cursor.fetchall()]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60]
    assert mailer.failed == 12


@pytest.mark.parametrize("recipient", ["a,b@example.com", "<a>@example.com", "a b@example.com", "ada@"])
async def test_what_is_no_single_address_is_given_up(pool: Pool, server: SmtpServer, recipient: str) -> None:
    await posted(pool, Mail(recipient, "x", "y"))
    await drained(Mailer(Outbox(pool), plain(server)))
    assert server.taken == []
    assert (await rows(pool))[0][6]


async def test_a_mail_travels_encrypted_and_to_nobody_else(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    user = "tasks%40example.org:p%40ss%3Aword"
    async with smtp_server(context) as starttls, smtp_server(context, tls=True) as tls:
        for scheme, here in (("smtp", starttls), ("smtps", tls)):
            await posted(pool)
            await drained(Mailer(Outbox(pool), Relay.of(f"{scheme}://{user}@127.0.0.1:{here.port}", SENDER)))
            [taken] = here.taken
            assert (taken.encrypted, taken.user) == (True, "tasks@example.org")


async def test_who_cannot_prove_to_be_the_server_gets_nothing(pool: Pool, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    async with smtp_server(context) as starttls, smtp_server(context, tls=True) as tls:
        for scheme, here in (("smtp", starttls), ("smtps", tls)):
            await posted(pool)
            mailer = Mailer(Outbox(pool), Relay.of(f"{scheme}://127.0.0.1:{here.port}", SENDER))
            await drained(mailer)
            assert (here.taken, mailer.failed) == ([], 1)


async def test_a_server_that_offers_no_encryption_gets_nothing(pool: Pool, server: SmtpServer) -> None:
    await posted(pool)
    mailer = Mailer(Outbox(pool), Relay.of(f"smtp://127.0.0.1:{server.port}", SENDER))
    await drained(mailer)
    assert (server.taken, mailer.failed) == ([], 1)
    assert "STARTTLS" in (await rows(pool))[0][4]


async def test_what_is_said_of_a_failure_holds_no_secret(
    pool: Pool, server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "api.mailer")  # whatever a program that ran before has set
    server.refusals = [("RCPT", "550 no ada@example.com here")]
    await posted(pool)
    relay = Relay.of(f"smtp+plain://me:hidden@127.0.0.1:{server.port}", SENDER)
    assert "hidden" not in repr(relay)
    await drained(Mailer(Outbox(pool), plain(server)))
    said = " ".join(str(vars(record)) for record in caplog.records)
    assert "mail_id" in said
    assert "1234" not in said
    assert "ada@" not in said


async def test_old_mails_are_deleted_sent_or_not(pool: Pool, owner: Connection) -> None:
    await posted(pool, MAIL, Mail("bob@example.com", "x", "y"))
    await owner.execute(
        "UPDATE outbox SET made_at = made_at - make_interval(days => %s) WHERE recipient LIKE 'ada%%'", (KEPT_DAYS,)
    )
    await Mailer(Outbox(pool), None).run_once()
    assert [row[0] for row in await rows(pool)] == ["bob@example.com"]


async def test_a_mailer_works_until_it_is_stopped(pool: Pool, server: SmtpServer) -> None:
    mailer = Mailer(Outbox(pool), plain(server))
    await posted(pool)
    await mailer.start()
    await until(lambda: mailer.sent == 1)
    await posted(pool)
    await until(lambda: mailer.sent == 2)
    await mailer.stop()
    await posted(pool)
    assert len(server.taken) == 2


async def test_what_waits_and_what_became_of_it_can_be_measured(
    pool: Pool, server: SmtpServer, owner: Connection
) -> None:
    mailer, behind = Mailer(Outbox(pool), plain(server)), Behind(pool, [])

    async def measured() -> list[float]:
        behind.forget()
        await behind.look()
        families = {family.name: family for family in (*behind.collect(), *mailed(mailer))}
        names = ("taskfold_mails_waiting", "taskfold_mails_sent", "taskfold_mail_failures")
        return [*(families[name].samples[0].value for name in names), age(families)]

    def age(families: dict[str, Metric]) -> float:
        return round(families["taskfold_mail_oldest_waiting_seconds"].samples[0].value / 60)

    assert await measured() == [0, 0, 0, 0]
    await posted(pool, MAIL, MAIL, MAIL)
    await owner.execute("INSERT INTO outbox (mail_id, subject) VALUES (gen_random_uuid(), 'for nobody')")
    await owner.execute("UPDATE outbox SET made_at = made_at - interval '10 minutes'")
    assert await measured() == [3, 0, 0, 10]
    server.refusals = [("RCPT", "550 no such mailbox"), ("RCPT", "450 not now")]
    assert await mailer.run_once()
    assert await measured() == [2, 0, 1, 10], "what was refused for good does not wait"
    assert await mailer.run_once()
    assert await measured() == [2, 0, 2, 10]
    await owner.execute("UPDATE outbox SET due_at = clock_timestamp() WHERE due_at < 'infinity'")
    await drained(mailer)
    assert await measured() == [0, 2, 2, 0]


async def test_a_mailer_survives_an_outbox_that_is_away(
    pool: Pool, server: SmtpServer, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "api.mailer")
    await owner.execute("ALTER TABLE outbox RENAME TO elsewhere")
    mailer = Mailer(Outbox(pool), plain(server))
    await mailer.start()
    await until(lambda: any("not read" in record.message for record in caplog.records))
    await owner.execute("ALTER TABLE elsewhere RENAME TO outbox")
    await posted(pool)
    await until(lambda: mailer.sent == 1)
    await mailer.stop()


def test_a_url_names_a_server_and_its_usual_port() -> None:
    assert [Relay.of(f"{scheme}://mail.example", SENDER).port for scheme in ("smtps", "smtp", "smtp+plain")] == [
        465,
        587,
        25,
    ]
