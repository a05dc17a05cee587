"""Everything an API process holds, wired once and explicitly. Nothing connects at import."""

import asyncio
from dataclasses import dataclass

from redis.asyncio import Redis

from api.database import Pool, connector, make_pool, read_epoch
from api.defence.addresses import Addresses
from api.defence.counts import Counts, make_counting_redis
from api.defence.front import Front
from api.defence.rates import Rates
from api.defence.sharing import Sharing
from api.defence.throttle import SECONDS as THROTTLE_SECONDS
from api.defence.throttle import Guards, Throttle
from api.export_places import ExportPlaces
from api.positions import Positions
from api.recognition import Recognition
from api.revocations import Revocations
from api.scopes import check
from api.settings import Settings
from api.signing_keys import SigningKeys
from api.sockets import frames
from api.sockets.hub import Hub
from api.sockets.missed import Missed
from api.sockets.ticker import Ticker
from api.tokens import Identity, Tokens, Unseen
from commands.accounts import Accounts
from commands.attachments import Attachments
from commands.batch import Batches
from commands.breached import Breached
from commands.committer import Committer
from commands.credentials import Credentials
from commands.deciding import deactivated, unknown_user
from commands.event_store import EventStore
from commands.execute import Executor
from commands.feeds import Feeds
from commands.invites import Invites
from commands.mails import Mails
from commands.passwords import Passwords
from commands.personal_tokens import PersonalTokens
from commands.places import KnownPlaces
from commands.purging import Purging
from commands.rewritings import Rewritings
from commands.second_factors import SecondFactors
from commands.sessions import Sessions
from commands.streams import Streams
from commands.undoing import Undoing
from domain import messages
from domain.errors import Unauthenticated
from domain.messages import CHANGES_CHANNEL, PROJECTED_CHANNEL, TOLD_CHANNEL, Appended
from domain.user import User
from projections import notifications, notifying
from projections.hints import Listener, Sender

ROLE_AGE_SECONDS = 0.5  # how old what a read knows of its reader's role may be


def make_redis(url: str) -> Redis:
    """A client that gives up early: Redis carries hints, nobody waits for it."""
    return Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=None)


@dataclass
class Services:
    """The parts, by name."""

    settings: Settings
    pool: Pool
    redis: Redis
    keys: SigningKeys
    counting: Redis
    addresses: Addresses
    throttle: Throttle
    rates: Rates
    sharing: Sharing
    tokens: Tokens
    sessions: Sessions
    personal: PersonalTokens
    recognition: Recognition
    revocations: Revocations
    streams: Streams
    committer: Committer
    executor: Executor
    batches: Batches
    passwords: Passwords
    accounts: Accounts
    credentials: Credentials
    invites: Invites
    second_factors: SecondFactors
    attachments: Attachments
    purging: Purging
    undoing: Undoing
    rewritings: Rewritings
    positions: Positions
    hub: Hub
    inboxes: Hub  # of notifications
    ticker: Ticker
    missed: Missed
    entrance: asyncio.Semaphore  # for sockets that open: after a restart they come all at once
    archive: asyncio.Semaphore  # for lists of the past: they take longer than others, and the pool is not theirs alone
    exports: ExportPlaces
    feeds: Feeds
    sender: Sender
    listener: Listener
    epoch: str = ""

    @classmethod
    def wire(cls, settings: Settings, front: Front | None = None) -> "Services":
        """Make the parts and join them. Nothing is connected yet."""
        front = front or Front.of(settings)
        pool = make_pool(settings.database_url, settings.pool_size)
        redis = make_redis(settings.redis_url)
        counting = make_counting_redis(settings.redis_url)
        sender = Sender(redis)
        store = EventStore(pool)
        streams = Streams(store)

        def announce(workspace_id: str, position: int, kinds: frozenset[str]) -> None:
            sender.announce(Appended(workspace_id, position, kinds))

        committer = Committer(connector(settings.database_url), announce, wait_seconds=settings.command_wait_ms / 1000)
        executor = Executor(store, streams, committer)
        breached = None if settings.breached_passwords is None else Breached(settings.breached_passwords)
        passwords, mails = Passwords(breached=breached), Mails(settings.public_url)
        keys = SigningKeys(pool, settings.secret_key, lambda: tokens.forget())
        tokens = Tokens(keys, settings.access_token_seconds)
        personal = PersonalTokens(pool)
        sessions = Sessions(pool, settings.secret_key)
        revocations = Revocations(sessions, settings.access_token_seconds)
        positions = Positions(pool, settings.read_wait_ms)

        def receive(message: bytes) -> None:
            projected = messages.decode_projected(message)
            positions.note(projected.workspace_id, projected.projection, projected.to)
            # A client that is told to read again must be judged by the access that it was told of.
            streams.forget(projected.workspace_id, [change.user_id for change in projected.accesses])
            services.hub.receive(projected)
            services.inboxes.receive(projected)

        listener = Listener(redis, PROJECTED_CHANNEL, receive, lambda: services.look_now())
        hub = Hub(
            pool,
            read_epoch=lambda: read_epoch(pool),
            renewed=lambda epoch: services._renew(epoch),
            follow=lambda workspace_id: listener.follow(f"{CHANGES_CHANNEL}{workspace_id}"),
            unfollow=lambda workspace_id: listener.unfollow(f"{CHANGES_CHANNEL}{workspace_id}"),
        )
        inboxes = Hub(
            pool,
            projection=notifications.NAME,
            read=notifying.read,
            frame=frames.ready,
            counts=hub.counts,
            read_epoch=lambda: read_epoch(pool),
            renewed=lambda epoch: services._renew(epoch),
            follow=lambda workspace_id: listener.follow(f"{TOLD_CHANNEL}{workspace_id}"),
            unfollow=lambda workspace_id: listener.unfollow(f"{TOLD_CHANNEL}{workspace_id}"),
        )
        services = cls(
            settings=settings,
            pool=pool,
            redis=redis,
            keys=keys,
            tokens=tokens,
            counting=counting,
            addresses=front.addresses,
            rates=front.rates,
            sharing=Sharing(front.rates, counting),
            throttle=Throttle(
                Counts(counting, THROTTLE_SECONDS),
                KnownPlaces(pool),
                settings.secret_key,
                Guards.of(settings.login_failures, settings.registrations, settings.invites),
            ),
            sessions=sessions,
            personal=personal,
            recognition=Recognition(tokens, keys, personal),
            revocations=revocations,
            streams=streams,
            committer=committer,
            executor=executor,
            batches=Batches(store, streams, committer, executor),
            passwords=passwords,
            accounts=Accounts(pool, executor, passwords),
            credentials=Credentials(pool, executor, passwords, mails),
            invites=Invites(pool, executor, mails),
            second_factors=SecondFactors(pool, executor, mails, settings.secret_key),
            attachments=Attachments(pool, executor, settings.blobs, settings.files),
            purging=Purging(pool, executor, streams, committer.append),
            undoing=Undoing(pool, store, streams, executor),
            rewritings=Rewritings(pool, store),
            positions=positions,
            hub=hub,
            inboxes=inboxes,
            ticker=Ticker(lambda identity: services.ended(identity), hub.stopping),
            missed=Missed(pool, max(1, settings.pool_size // 4)),
            entrance=asyncio.Semaphore(max(1, settings.pool_size // 4)),
            archive=asyncio.Semaphore(max(1, settings.pool_size // 4)),
            exports=ExportPlaces(max(1, settings.pool_size // 4)),
            feeds=Feeds(pool),
            sender=sender,
            listener=listener,
        )
        return services

    async def start(self) -> None:
        """Connect and begin to work. Raises when PostgreSQL cannot be reached; Redis may be away."""
        await self.pool.open(wait=True, timeout=10.0)
        self.epoch = await read_epoch(self.pool)
        await self.keys.start()
        await self.revocations.start()
        self.committer.start()
        self.sender.start()
        self.listener.start()
        self.hub.start(self.epoch)
        self.inboxes.start(self.epoch)
        self.ticker.start()
        self.sharing.start()

    async def stop(self) -> None:
        """Drain what was accepted, then let go of everything."""
        await self.hub.stop()
        await self.inboxes.stop()
        await self.ticker.stop()
        await self.committer.stop()
        await self.streams.stop()
        parts = (self.sharing, self.listener, self.sender, self.revocations, self.keys)
        await asyncio.gather(*(part.stop() for part in parts))
        self.passwords.close()
        await asyncio.gather(self.redis.aclose(), self.counting.aclose())
        await self.pool.close()

    def look_now(self) -> None:
        """Redis is back: whatever was published meanwhile is lost."""
        self.hub.look_now()
        self.inboxes.look_now()

    def _renew(self, epoch: str) -> None:
        """The database was restored to an earlier point meanwhile: what is known of streams and positions is void."""
        self.epoch = epoch
        self.streams.clear()
        self.positions.clear()
        self.missed.clear()

    async def authenticate(self, authorization: str | bytes | None, scope: str | None) -> Identity:
        """Whom an Authorization header names, who may do what needs that scope.

        Raises `Unauthenticated`, `Forbidden` `auth.scope`, `auth.factor_needed`.
        """
        try:
            identity = self.identify(authorization)
        except Unseen as unseen:
            identity = await self.recognition.look_up(unseen.token)
            self.check_session(identity)
        if identity.scopes is not None:
            check(identity, scope)
        return identity

    def identify(self, authorization: str | bytes | None) -> Identity:
        """Whom an Authorization header names, as far as memory knows. Raises `Unauthenticated`, of which `Unseen`."""
        if isinstance(authorization, bytes):
            token_header, authorization = authorization, authorization.decode("latin-1")
        else:
            token_header = (authorization or "").encode("latin-1", "replace")
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("auth.missing", "send an access token: Authorization: Bearer …")
        identity = self.tokens.verify(token.strip(" \t"))
        self.check_session(identity)
        self.rates.learn(token_header, identity.user_id)
        return identity

    def check_session(self, identity: Identity) -> None:
        """Raises `Unauthenticated` when the session, or the personal token, was revoked."""
        if identity.session_id in self.revocations:
            detail = "the session of this token has ended; log in again"
            if identity.scopes is not None:
                detail = "the personal access token was revoked"
            raise Unauthenticated(identity.revoked_code, detail)

    def ended(self, identity: Identity) -> str | None:
        """Why somebody whom a socket let in must go, as a code; None where they may stay."""
        if identity.session_id in self.revocations:
            return identity.revoked_code
        # Retired before all that it signed was over, so others may know it: what such a token says of its end is void.
        return "auth.token_invalid" if identity.kid and self.keys.accepted(identity.kid) is None else None

    async def member(self, identity: Identity, max_age: float = ROLE_AGE_SECONDS) -> User:
        """The user as the log knows them now, with the role they have now. Raises `Unauthenticated`."""
        return await self.active(identity.workspace_id, identity.user_id, max_age)

    async def active(self, workspace_id: str, user_id: str, max_age: float = 0) -> User:
        """A user who may come in. Raises `Unauthenticated`."""
        user = await self.streams.current(workspace_id, user_id, max_age)
        if not isinstance(user, User):
            raise unknown_user()
        if not user.active:
            raise deactivated()
        return user
