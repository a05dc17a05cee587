"""What memory does not know of a token, and the database may: one look-up, shared by those who ask at once.

That is a personal token, or one that was signed with a key that is not known yet.
"""

import asyncio
from collections import OrderedDict
from time import time
from typing import Final

from api.signing_keys import SigningKeys
from api.tokens import Identity, Tokens
from commands.personal_tokens import PREFIX, PersonalTokens
from domain.errors import Unauthenticated

KNOWN_SECONDS: Final = 60.0  # so a revocation that the poll missed bites, and `last_used_at` is right to a minute
REFUSED_SECONDS: Final = 5.0
REFUSED: Final = 10_000


class Recognition:
    """What it finds, `tokens` remembers; a personal token that is refused is refused again without a look."""

    def __init__(self, tokens: Tokens, keys: SigningKeys, personal: PersonalTokens) -> None:
        self._tokens = tokens
        self._keys = keys
        self._personal = personal
        self._looking: dict[str, asyncio.Task[Identity]] = {}
        self._refused: OrderedDict[str, tuple[float, Unauthenticated]] = OrderedDict()

    async def look_up(self, token: str) -> Identity:
        """Whom a token names that `Tokens.verify` has not seen. Raises `Unauthenticated`."""
        if not token.startswith(PREFIX):
            await self._keys.refresh()
            return self._tokens.verify(token)
        until, error = self._refused.get(token, (0.0, None))
        if error is not None and until > time():
            raise Unauthenticated(error.code, error.detail)
        looking = self._looking.get(token)
        if looking is None:
            looking = self._looking[token] = asyncio.create_task(self._look(token))
            looking.add_done_callback(lambda task: self._looked(token, task))
        return await asyncio.shield(looking)

    def _looked(self, token: str, task: asyncio.Task[Identity]) -> None:
        del self._looking[token]
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains of it when all who asked have gone

    async def _look(self, token: str) -> Identity:
        now = time()  # before the look: what is revoked after it is among the revocations for longer than this is known
        try:
            found = await self._personal.find(token)
        except Unauthenticated as error:
            self._refuse(token, error)
            raise
        identity = Identity(
            found.user_id,
            found.workspace_id,
            found.token_id,
            found.expires_at,
            frozenset(found.scopes),
            known_until=min(found.expires_at, now + KNOWN_SECONDS),
        )
        self._tokens.remember(token, identity)
        return identity

    def _refuse(self, token: str, error: Unauthenticated) -> None:
        self._refused[token] = (time() + REFUSED_SECONDS, error)
        self._refused.move_to_end(token)
        if len(self._refused) > REFUSED:
            self._refused.popitem(last=False)
