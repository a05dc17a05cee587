"""`taskfold outbox`, and the mailer inside `taskfold work`: how an invite reaches a person."""

import asyncio
import re
import signal
import sys

from click.testing import CliRunner

from api.cli import main
from tests.api.test_invites import invited, register
from tests.house import Database, House, Servers, until
from tests.smtp import smtp_server

PATIENCE = 30.0


async def run(*arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, main, ["outbox", *arguments])
    return done.exit_code, done.output


async def test_an_operator_reads_the_link_of_an_invite(
    environment: dict[str, str], database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False, public_url="https://tasks.example.org/") as house:
        ada = await house.user("acme")
        assert await run() == (0, "no mail waits\n")
        await invited(ada, "bob@example.com")
        status, said = await run()
        assert status == 0
        assert "To:      bob@example.com" in said
        assert "workspace acme" in said
        [token] = re.findall(r"^https://tasks\.example\.org/join#invite=(\S+)$", said, re.MULTILINE)
        assert (await register(house, "bob@example.com", token)).status_code == 201


async def test_what_was_sent_is_listed_without_its_text(
    environment: dict[str, str], database: Database, servers: Servers
) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        await invited(ada, "bob@example.com")
        async with smtp_server() as server:
            settings = {
                "TASKFOLD_SMTP_URL": f"smtp+plain://127.0.0.1:{server.port}",
                "TASKFOLD_MAIL_FROM": "a@b.example",
            }
            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "api.cli", "work", env={**environment, **settings}, stderr=asyncio.subprocess.PIPE
            )
            try:
                await until(lambda: bool(server.taken))
                async with asyncio.timeout(PATIENCE):
                    while (await run())[1] != "no mail waits\n":
                        pass
            finally:
                worker.send_signal(signal.SIGTERM)
                _, errors = await worker.communicate()
            assert worker.returncode == 0
            [taken] = server.taken
            assert (taken.sender, taken.recipients) == ("a@b.example", ["bob@example.com"])
            [token] = re.findall(r"#invite=(\S+)", taken.message.get_content())
            assert token not in errors.decode()
        status, said = await run("--all")
        assert (status, "To:      bob@example.com" in said, "sent" in said) == (0, True, True)
        assert token not in said
        assert (await register(house, "bob@example.com", token)).status_code == 201


async def test_following_shows_each_new_mail(environment: dict[str, str], database: Database, servers: Servers) -> None:
    async with House.open(database, servers, projecting=False) as house:
        ada = await house.user()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "api.cli", "outbox", "--follow", env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            for email in ("bob@example.com", "eve@example.com"):
                await invited(ada, email)
                async with asyncio.timeout(PATIENCE):
                    while not (line := (await process.stdout.readline()).decode()).startswith("To:"):
                        assert line
                assert email in line
        finally:
            process.send_signal(signal.SIGINT)
            await process.communicate()
        assert process.returncode == 0
