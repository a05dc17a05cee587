"""`taskfold outbox`: mails that wait, with their links; how they are read where no SMTP server takes them."""

import asyncio
from typing import Final

import click

from api.cli.connecting import connect, run
from commands.outbox import Posted, listed

POLL_SECONDS: Final = 1.0


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what was sent, without its text: that is forgotten.")
@click.option("--follow", is_flag=True, help="Go on, and show each new mail.")
def outbox(everything: bool, follow: bool) -> None:
    """Show the mails that wait to be sent. Whoever sees them can use their links."""
    try:
        run(_show(everything, follow))
    except KeyboardInterrupt:
        return


async def _show(everything: bool, follow: bool) -> None:
    connection = await connect()
    try:
        shown: set[str] = set()
        while True:
            for mail in await listed(connection, unsent=not everything):
                if mail.mail_id not in shown:
                    shown.add(mail.mail_id)
                    click.echo(readable(mail))
            if not follow:
                if not shown:
                    click.echo("no mail waits", err=True)
                return
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


def readable(mail: Posted) -> str:
    """A mail as people read it, in a terminal."""
    state = "waiting" if mail.sent_at is None else f"sent {mail.sent_at:%Y-%m-%d %H:%M:%S}"
    tried = f", tried {mail.tries} times: {mail.error}" if mail.error else ""
    lines = [
        f"To:      {mail.recipient}",
        f"Subject: {mail.subject}",
        f"Made:    {mail.made_at:%Y-%m-%d %H:%M:%S} UTC, {state}{tried}",
        *([] if mail.body is None else ["", mail.body.rstrip()]),
        "-" * 72,
    ]
    return "\n".join(lines)
