"""Taking commands back: what one wrote is read from the log, and what goes beside the facts is committed with them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg.errors import NoDataFound

from commands.attachments import KEPT_DAYS
from commands.beside import beside
from commands.event_store import CHANGE_ACCOUNT, CHANGE_BLOB, CHANGE_INVITE, EventStore, Pool
from commands.execute import Appender, Call, Executor, Receipt
from commands.inverse.step import Wrote, depends
from commands.streams import Streams
from commands.undo import ChangedSince, Undo, is_step, steps_of, undo_not_found
from domain.attachment import AttachmentAdded, AttachmentRemoved
from domain.errors import Conflict
from domain.events import Event, Recorded, name_of, recorded
from domain.instant import instant
from domain.invite import InviteCreated
from domain.streams import State, evolve
from domain.undo import DAYS, EVENTS_MAX, LOOKS
from domain.user import UserReactivated

_NEAR: Final = 50  # positions around the one that is asked for: most commands write fewer events
_PIECE: Final = 1_000


class _Kin(NamedTuple):
    """Events for which `of` answers the same belong together. `apart`: others may stand between them."""

    of: Callable[[Recorded], object]
    apart: bool


_COMMAND: Final = _Kin(lambda event: event.meta.causation_id, apart=False)  # in one append, side by side
_REQUEST: Final = _Kin(lambda event: (event.meta.correlation_id, event.meta.actor), apart=True)


class Written(NamedTuple):
    """An event of a log; `position` is None where it would only be written."""

    position: int | None
    type: str
    stream_id: str


class Undone(NamedTuple):
    """A command that was taken back: the receipt, what had been written, and what was written now."""

    receipt: Receipt
    undone: Sequence[Written]
    written: Sequence[Written]


class Undoing:
    """Takes commands back."""

    def __init__(self, pool: Pool, store: EventStore, streams: Streams, executor: Executor) -> None:
        self._pool = pool
        self._store = store
        self._streams = streams
        self._executor = executor

    async def undo(self, call: Call, command: Undo) -> Undone:
        """Take a command back. Raises as `Undo` does; `undo.changed_since` says what changed, by whom and when."""
        async with self._explaining(call.workspace_id):
            receipt = await self._executor.execute(command, call, self._beside(command.wrote))
        written = await self._written(call, receipt)
        return Undone(receipt, _listed(command.wrote.events), _listed(written))

    async def preview(self, call: Call, command: Undo) -> Undone:
        """What taking it back would write now; nothing is written. Raises as `undo` does."""
        async with self._explaining(call.workspace_id):
            self._beside(command.wrote)
            facts = await self._executor.foresee(command, call)
        folded = self._streams.get(call.workspace_id, command.stream_id)
        assert folded is not None
        assert folded.state is not None
        receipt = Receipt(command.stream_id, folded.version, folded.state.position, folded.state)
        would = [Written(None, name_of(fact.event), fact.stream_id) for fact in facts]
        return Undone(receipt, _listed(command.wrote.events), would)

    @asynccontextmanager
    async def _explaining(self, workspace_id: str) -> AsyncIterator[None]:
        """Where it is refused for what changed since, say what did, by whom and when."""
        try:
            yield
        except NoDataFound as error:
            raise depends("the bytes of the file are gone") from error
        except ChangedSince as refusal:
            refusal.extra = {**refusal.extra, "changed": await self._changes(workspace_id, refusal)}
            raise

    async def find(self, call: Call, position: int, *, whole: bool = False) -> Undo:
        """What the command wrote that wrote the event at a position; `whole`: all that its request wrote.

        Raises `NotFound`, `Conflict` `undo.too_large`.
        """
        events = await self._written_with(call.workspace_id, position, _REQUEST if whole else _COMMAND)
        if not events:
            await self._executor.ask(lambda context: context.actor(), call.workspace_id, call.actor_id)
            raise undo_not_found()
        wrote = Wrote(events)
        wrote.steps += steps_of(wrote, await self._states(call.workspace_id, wrote.events))
        latest = instant(datetime.now(UTC) - timedelta(days=DAYS))
        return Undo(position, wrote, too_old=wrote.events[0].recorded_at < latest)

    async def _written_with(self, workspace_id: str, position: int, kin: "_Kin") -> list[Recorded]:
        """All events that belong to the one at a position. None past the end of the log."""
        found = await self._read(workspace_id, position - _NEAR, position + _NEAR)
        named = next((event for event in found if event.position == position), None)
        if named is None:
            return []
        mine = [event for event in found if kin.of(event) == kin.of(named)]
        edge, before = max(1, position - _NEAR), mine
        while before and edge > 1 and (kin.apart or before[0].position == edge):
            found = await self._read(workspace_id, edge - _PIECE, edge - 1)
            before = [event for event in found if kin.of(event) == kin.of(named)]
            edge, mine = max(1, edge - _PIECE), [*before, *mine]
            _check_size(mine)
        edge, after = position + _NEAR, mine
        while after and (kin.apart or after[-1].position == edge):
            found = await self._read(workspace_id, edge + 1, edge + _PIECE)
            after = [event for event in found if kin.of(event) == kin.of(named)]
            edge, mine = edge + _PIECE, [*mine, *after]
            _check_size(mine)
        return mine

    async def _read(self, workspace_id: str, first: int, last: int) -> list[Recorded]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT e.position, e.stream_id::text, e.version, instant(e.recorded_at), e.name,
                       e.schema_version::integer, e.meta::text, e.data::text
                FROM events e
                WHERE e.workspace_id = %s AND e.position BETWEEN %s AND %s
                ORDER BY e.position
                """,
                (workspace_id, first, last),
            )
            return [recorded(row) for row in await cursor.fetchall()]

    async def _states(
        self, workspace_id: str, events: Sequence[Recorded]
    ) -> dict[int, tuple[State | None, State | None]]:
        """The states of the streams before and after each event of a command, by position."""
        wanted = {event.stream_id for event in events if is_step(event.event)}
        states: dict[str, State | None] = {}
        found = {}
        for event in events:
            if event.stream_id not in wanted:
                continue
            if event.stream_id not in states:
                states[event.stream_id] = await self._before(workspace_id, event)
            before = states[event.stream_id]
            states[event.stream_id] = evolve(before, event)
            found[event.position] = (before, states[event.stream_id])
        return found

    async def _before(self, workspace_id: str, event: Recorded) -> State | None:
        if event.version == 1:
            return None
        return await self._streams.at(workspace_id, event.stream_id, event.version - 1)

    async def _changes(self, workspace_id: str, refusal: ChangedSince) -> list[dict[str, Any]]:
        """Which fields have other values since, by whom and when."""
        step = refusal.step
        look, state = LOOKS[type(step.event)], step.after
        changed = []
        for event in await self._store.load(workspace_id, {step.stream_id: step.recorded.version}):
            before, state = look(state, step.event), evolve(state, event)
            after = look(state, step.event)
            changed += [
                {
                    "field": field,
                    "by": event.meta.actor,
                    "at": event.recorded_at,
                    "version": event.version,
                    "position": event.position,
                }
                for field in after
                if after[field] != before[field]
            ]
        return changed

    async def _written(self, call: Call, receipt: Receipt) -> list[Recorded]:
        """What the undo wrote: it ends at the position of its receipt. Nothing where it changed nothing."""
        command_id: str | None = call.command_id
        if receipt.replayed and call.key is not None:
            known = await self._store.known(call.workspace_id, call.actor_id, call.key)
            command_id = None if known is None else known.command_id
        events = await self._written_with(call.workspace_id, receipt.position, _COMMAND)
        return events if events and events[0].meta.causation_id == command_id else []

    def _beside(self, wrote: Wrote) -> Appender | None:
        """What else is committed with the facts, where it is not facts alone. Raises as `_check_alone` does."""
        for step in wrote.steps:
            found = _BESIDE.get(type(step.event))
            if found is not None:
                _check_alone(wrote)
                query, more = found
                return beside(self._pool, query, more(step.event, step.stream_id))
        return None


def _check_alone(wrote: Wrote) -> None:
    """Beside the facts of one command one thing is committed. Raises `Conflict` `undo.impossible` for several."""
    if len(wrote.steps) > 1:
        why = "sessions, files and invites are no facts, and are taken back one by one"
        found = [
            {"position": step.recorded.position, "type": name_of(step.event), "why": why}
            for step in wrote.steps
            if type(step.event) in _BESIDE
        ]
        raise Conflict("undo.impossible", f"{found[0]['type']} cannot be taken back among others: {why}", events=found)


def _listed(events: Sequence[Recorded]) -> list[Written]:
    return [Written(each.position, name_of(each.event), each.stream_id) for each in events]


def _check_size(events: Sequence[Recorded]) -> None:
    if len(events) > EVENTS_MAX:
        detail = f"a command is taken back that wrote at most {EVENTS_MAX} events; this one wrote more"
        raise Conflict("undo.too_large", detail, most=EVENTS_MAX)


More = Callable[[Any, str], Mapping[str, Any]]

_BESIDE: Final[Mapping[type[Event], tuple[str, More]]] = {
    AttachmentAdded: (CHANGE_BLOB, lambda event, _: {"attachment_id": event.attachment_id, "kept_days": KEPT_DAYS}),
    AttachmentRemoved: (CHANGE_BLOB, lambda event, _: {"attachment_id": event.attachment_id, "keep": True}),
    UserReactivated: (CHANGE_ACCOUNT, lambda _, user_id: {"user_id": user_id, "revoke": "all"}),
    InviteCreated: (CHANGE_INVITE, lambda _, invite_id: {"invite_id": invite_id}),
}
