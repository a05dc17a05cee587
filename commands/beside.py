"""Commands that commit more than events: values of accounts, sessions that end, invites, mails."""

from collections.abc import Mapping
from typing import Any

import psycopg

from commands import event_store
from commands.appending import Append, Verdict
from commands.event_store import Pool
from commands.execute import Appender
from domain import failpoints


def beside(pool: Pool, query: str, more: Mapping[str, Any]) -> Appender:
    """An append that commits `more` with the facts, where there are any; see the functions of that name in the schema.

    Raises `psycopg.errors.NoDataFound` for a token or an invite that is gone, `UniqueViolation` for what is taken.
    """

    async def append(single: Append) -> Verdict:
        for attempt in range(3):
            try:
                async with pool.connection() as connection:
                    failpoints.reach(failpoints.ACCOUNT_SENDING)
                    verdict = await _send(connection, query, more, single)
                    failpoints.reach(failpoints.ACCOUNT_COMMITTED)
                    return verdict
            except psycopg.OperationalError:  # the outcome is unknown: the same ids go again
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    return append


async def _send(connection: event_store.Connection, query: str, more: Mapping[str, Any], single: Append) -> Verdict:
    if single.facts:
        return await event_store.append_with(connection, query, more, single)
    return (await event_store.append(connection, [single]))[0]  # refused, or so already: nothing goes with it
