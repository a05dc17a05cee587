"""The projection `timers`: when something has to happen next to each thing. Its rows are folds of several streams."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.events import Recorded
from domain.timers import CLOCKWORKS, STREAMS, thing_of
from projections import checkpoints, log, timers
from projections.batch_folding import Folding
from projections.checkpoints import Move
from projections.database import Connection
from projections.log import Slice
from projections.table import Table
from projections.timers import NAME, Timer, blank, load, save

KIND: Final = "timer"
LIKE: Final = [f"{stream}.%" for stream in STREAMS]
LOADED_AT_ONCE: Final = 1_000

_ALL: Final = 2**31 - 1


class TimerFolding(Folding):
    """One row a thing, of the events of several streams."""

    like = LIKE

    async def take(self, part: Slice) -> int:
        """Fold all of them."""
        events = part.events()
        self.states |= await self._before(events)
        self.states = folded(self.states, events)
        return part.to

    async def write(self, move: Move) -> bool:
        """Write each row that has changed once."""
        changed = [timer for timer in self.states.values() if timer.position > move.after]
        if changed:
            await save(self._connection, move, changed)
        return bool(changed)

    async def _before(self, events: Sequence[Recorded]) -> dict[str, Timer]:
        """The rows of all other things that these events are about, from memory or from the table."""
        found: dict[str, Timer] = {}
        missing: list[str] = []
        for event in events:
            thing = thing_of(event)
            if thing is None or thing[1] in found or thing[1] in self.states:
                continue
            kind, id_ = thing
            held = self._progress.states.get(id_)
            if held is None and not (event.stream_id == id_ and event.version == 1):
                missing.append(id_)
            found[id_] = held or blank(kind, id_)
        for at in range(0, len(missing), LOADED_AT_ONCE):
            some = missing[at : at + LOADED_AT_ONCE]
            found |= await load(self._connection, self._workspace_id, self._progress.build, some)
        return found


def folded(before: dict[str, Timer], events: Iterable[Recorded]) -> dict[str, Timer]:
    """The rows after some events, in the order of the log."""
    after = dict(before)
    for event in events:
        thing = thing_of(event)
        if thing is not None:
            kind, id_ = thing
            timer = after.get(id_) or blank(kind, id_)
            after[id_] = timer.evolved(event.position, CLOCKWORKS[kind].evolve(timer.state, event))
    return after


async def windows(
    connection: Connection, workspace_id: str, build: int, after: int, to: int, upto: int
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The rows that were last changed in a part of the log beside what they must be, for the drift check."""
    rows = await timers.windows(connection, workspace_id, build, after, to)
    part = await log.read(connection, workspace_id, after, max(1, upto - after), LIKE, projection=NAME)
    things = {id_: row["kind"] for id_, row in rows.items()}
    things |= {id_: kind for kind, id_ in filter(None, map(thing_of, part.events()))}
    reached = (await checkpoints.positions(connection, NAME, [workspace_id])).get(workspace_id, 0)
    streams = dict.fromkeys((each for id_, kind in things.items() for each in CLOCKWORKS[kind].stream_ids(id_)), _ALL)
    events = await log.streams(connection, workspace_id, streams, up_to=reached, projection=NAME)
    events.sort(key=lambda event: event.position)
    states = folded({}, events)
    found = {id_: timer.document() for id_, timer in states.items() if after < timer.position <= to}
    return rows, found, len(events)


async def _load(*_: Any) -> dict[str, Any]:
    raise NotImplementedError("a row of timers is no stream")


async def _save(*_: Any) -> None:
    raise NotImplementedError("a row of timers is no stream")


def weigh(timer: Timer) -> int:
    """About how many bytes the reminders of a row take."""
    return 200 * len(getattr(timer.state, "reminders", ()))


TIMERS: Final = Table(
    NAME,
    KIND,
    lambda state, _: state,
    _load,
    _save,
    weigh,
    columns=("kind", "position", "fires_at", "rests_with", "emptied_from", "state"),
    wakes=frozenset(),  # its next look is soon enough
    folding=TimerFolding,
    windows=windows,
    rest=0.05,
    least=300,
)
