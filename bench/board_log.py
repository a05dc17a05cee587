"""The log of a board: who is there, the projects, and ten events for each task, in the order of their times."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from heapq import heappop, heappush
from itertools import chain
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import msgspec
import psycopg

from bench.board_lives import Written, life, some
from commands.ids import new_id
from domain.comment import CommentPosted
from domain.events import NAMES, Event, Meta, encode
from domain.project import ProjectCreated, ProjectMemberAdded, ProjectRole
from domain.user import Role, UserJoined, UserProjectJoined

PEOPLE: Final = 200
PROJECTS: Final = 50
SAID: Final = 2  # comments to a task
OWN: Final = 8  # events of a task's own stream
DAYS: Final = 700
NEAR: Final = 500  # tasks that are written down while most happens to one

_COPY: Final = """
    COPY events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                 digest, salt, meta, data) FROM STDIN
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is there. The first three people look: all that there is, eleven projects, one project."""

    people: tuple[str, ...]
    projects: tuple[str, ...]

    @classmethod
    def made(cls) -> Self:
        """With ids of their own."""
        return cls(tuple(new_id() for _ in range(PEOPLE)), tuple(new_id() for _ in range(PROJECTS)))

    @property
    def seen(self) -> dict[str, tuple[str, ...]]:
        """The projects that members are in."""
        return {self.people[1]: self.projects[1:12], self.people[2]: self.projects[40:41]}


class Happened(NamedTuple):
    """A fact in its place: when, in which stream, and by whom. `order` tells those of one moment apart."""

    at: float
    order: int
    stream_id: str
    version: int
    actor: str
    event: Event


def write(owner: psycopg.Connection[Any], workspace_id: str, cast: Cast, tasks: int) -> int:
    """Write the log, which is empty; answers its head."""
    chance, position, meta = random.Random(tasks), 0, msgspec.json.Encoder().encode
    now = datetime.now(UTC)
    begun = now - timedelta(days=DAYS)
    with owner.cursor() as cursor:
        with cursor.copy(_COPY) as copy:
            for each in chain(_beginning(cast), _tasks(cast, tasks, chance, now)):
                position += 1
                name, schema_version = NAMES[type(each.event)]
                salt, data = chance.randbytes(16), encode(each.event)
                command = f"{position:032x}"
                said = meta(Meta(actor=each.actor, correlation_id=command, causation_id=command)).decode()
                at = begun + timedelta(seconds=each.at)
                digest = sha256(salt + data).digest()
                row = (workspace_id, position, each.stream_id, each.version, schema_version, at, name)
                copy.write_row((*row, digest, salt, said, data.decode()))
        cursor.execute(
            "UPDATE logs SET position = %s, recorded_at = %s WHERE workspace_id = %s", (position, now, workspace_id)
        )
    return position


def _beginning(cast: Cast) -> Iterator[Happened]:
    """Those who look join, and projects are made."""
    admin = cast.people[0]
    versions = dict.fromkeys((*cast.people, *cast.projects), 0)

    def happened(stream_id: str, event: Event) -> Happened:
        versions[stream_id] += 1
        return Happened(0.0, 0, stream_id, versions[stream_id], admin, event)

    for person in (admin, *cast.seen):
        yield happened(person, UserJoined(role=Role.ADMIN if person == admin else Role.MEMBER))
    for place, project in enumerate(cast.projects, 1):
        yield happened(project, ProjectCreated(name=f"Project {place}", key=f"P{place}"))
    for person, projects in cast.seen.items():
        for project in projects:
            yield happened(project, ProjectMemberAdded(user_id=person, role=ProjectRole.EDITOR))
            yield happened(person, UserProjectJoined(project_id=project, role=ProjectRole.EDITOR))


def _tasks(cast: Cast, tasks: int, chance: random.Random, now: datetime) -> Iterator[Happened]:
    """What happens to all tasks, in the order of time: it waits until the next task is written down later."""
    step = DAYS * 86_400 / tasks
    waiting: list[Happened] = []
    for n in range(1, tasks + 1):
        for each in _of_one(cast, n, chance, now, step):
            heappush(waiting, each)
        while waiting and waiting[0].at < n * step:
            yield heappop(waiting)
    while waiting:
        yield heappop(waiting)


def _of_one(cast: Cast, n: int, chance: random.Random, now: datetime, step: float) -> Iterator[Happened]:
    """The ten events of a task. All but the last one of its own come soon, as far as there is time."""
    born, end = (n - 1) * step, DAYS * 86_400
    soon, last = min(NEAR * step, end - born) / 10, born + chance.random() * (end - born)
    task_id, actor = _id(chance, now, born), cast.people[n % PEOPLE]
    place = int(PROJECTS * chance.random() ** 2)
    project = (cast.projects[place], f"P{place + 1}-{n}") if n % 10 < 7 else (None, None)
    for k, event in enumerate(life(chance, Written(n, cast.people, *project), now), 1):
        at = born + soon * k if k < OWN else max(last, born + soon * (OWN - 1))
        yield Happened(at, 10 * n + k, task_id, k, actor, event)
    for k in range(1, SAID + 1):
        at = born + soon * (OWN - 1 + k)
        event = CommentPosted(task_id=task_id, body=some(chance, 15))
        yield Happened(at, 10 * n + OWN + k, _id(chance, now, at), 1, actor, event)


def _id(chance: random.Random, now: datetime, at: float) -> str:
    """A UUID of version 7 of that moment."""
    milliseconds = int(((now - timedelta(days=DAYS)).timestamp() + at) * 1000)
    number = milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return str(UUID(int=number))
