"""The mailer: sends what is in the outbox, where there is somebody to take it, and clears it out."""

import asyncio
import logging
import smtplib
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from api.relay import NotDeliverableError, Relay
from commands.outbox import Outbox, Posted
from projections.ending import end

log: Final = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 3_600.0


class Mailer:
    """Any number of them may run at once. `sent` and `failed` count tries since the start."""

    def __init__(self, outbox: Outbox, relay: Relay | None) -> None:
        self._outbox = outbox
        self._relay = relay
        self._task: asyncio.Task[None] | None = None
        self._swept_at = -SWEEP_SECONDS
        self.sent = 0
        self.failed = 0

    async def start(self) -> None:
        """Begin to send in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; a mail under way is tried again by whoever comes next, if it did not go out."""
        await end(self._task)

    async def run_once(self) -> bool:
        """Try one mail. Answers whether there was one."""
        if monotonic() - self._swept_at >= SWEEP_SECONDS:
            await self._outbox.sweep()
            self._swept_at = monotonic()
        mail = None if self._relay is None else await self._outbox.take()
        if mail is None or self._relay is None:
            return False
        await self._try(self._relay, mail)
        return True

    async def _try(self, relay: Relay, mail: Posted) -> None:
        try:
            await asyncio.to_thread(relay.send, mail)
        except (NotDeliverableError, smtplib.SMTPException, OSError, ValueError) as error:
            self.failed += 1
            # Neither the address nor what the server said of it, which may quote the mail: that stands in the outbox.
            log.warning("a mail was not sent", extra={"mail_id": mail.mail_id, "error": type(error).__name__})
            for_good = isinstance(error, NotDeliverableError)
            await self._outbox.failed(mail.mail_id, f"{type(error).__name__}: {error}", for_good=for_good)
            return
        await self._outbox.sent(mail.mail_id)
        self.sent += 1

    async def _run(self) -> None:
        while True:
            try:
                if await self.run_once():
                    continue
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("the outbox was not read", extra={"error": str(error)})
            except Exception:  # a mailer that ends in silence would keep everybody waiting
                log.exception("the outbox was not read")
            await asyncio.sleep(POLL_SECONDS)
