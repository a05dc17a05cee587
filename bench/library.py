"""The `eventsourcing` library as its documentation uses it: an application that saves aggregates, and its runner."""

import threading
from time import perf_counter
from typing import Any
from urllib.parse import unquote, urlsplit

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from bench.measuring import Effort, closed_loop_of_threads
from bench.servers import Database
from bench.subject import DESCRIPTION, TITLE


class LibraryTask(Aggregate):
    """A task with the fields that ours has in the event measured."""

    @event("Created")
    def __init__(self, title: str, description: str, status: str, category: str) -> None:
        self.title = title
        self.description = description
        self.status = status
        self.category = category
        self.assignee: str | None = None

    @event("Retitled")
    def retitle(self, title: str) -> None:
        """Another title."""
        self.title = title

    @event("Assigned")
    def assign(self, assignee: str) -> None:
        """Given to somebody."""
        self.assignee = assignee

    @event("Moved")
    def move(self, status: str, category: str) -> None:
        """Another status."""
        self.status = status
        self.category = category


class LibraryTasks(Application[Any]):
    """An application without anything of its own."""


class Rows(PostgresTrackingRecorder):
    """A view of one row a task, written and tracked in one transaction an event, as its documentation shows.

    The row has one key and no other index, so it is cheaper to write than ours.
    """

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self._table = Identifier(self.datastore.schema), Identifier("task_rows")
        create = """
            CREATE TABLE IF NOT EXISTS {}.{} (
                task_id uuid PRIMARY KEY, version bigint, title text, description text, status text, category text,
                assignee text)
        """
        self.sql_create_statements.append(SQL(create).format(*self._table))

    def insert(self, created: Any, tracking: Tracking) -> None:
        """A new row."""
        statement = SQL("INSERT INTO {}.{} VALUES (%s, %s, %s, %s, %s, %s)").format(*self._table)
        values = (
            created.originator_id,
            created.originator_version,
            created.title,
            created.description,
            created.status,
            created.category,
        )
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(statement, values, prepare=True)

    def update(self, changed: Any, tracking: Tracking, **columns: str) -> None:
        """Other values in a row."""
        assignments = SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in ("version", *columns))
        statement = SQL("UPDATE {}.{} SET {} WHERE task_id = %s").format(*self._table, assignments)
        values = (changed.originator_version, *columns.values(), changed.originator_id)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(statement, values, prepare=True)


class LibraryProjection(Projection[Rows]):
    """From events to rows. `finished` is set when the event `last` is in."""

    name = "tasks"
    last = 0
    finished = threading.Event()

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Fold one event into its row."""
        match type(domain_event).__name__:
            case "Created":
                self.view.insert(domain_event, tracking)
            case "Retitled":
                self.view.update(domain_event, tracking, title=domain_event.title)
            case "Assigned":
                self.view.update(domain_event, tracking, assignee=domain_event.assignee)
            case "Moved":
                status, category = domain_event.status, domain_event.category
                self.view.update(domain_event, tracking, status=status, category=category)
            case name:
                raise RuntimeError(f"unexpected event {name}")
        if tracking.notification_id >= LibraryProjection.last:
            LibraryProjection.finished.set()


class Library:
    """The library on a database of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, callers: int, connections: int, effort: Effort, *, database_functions: bool = False) -> float:
        """One new aggregate with one event a command, a thread a caller; commands a second."""
        app = LibraryTasks(self._environment(connections, database_functions=database_functions))

        def once() -> None:
            app.save(LibraryTask(title=TITLE, description=DESCRIPTION, status="todo", category="open"))

        try:
            return closed_loop_of_threads(callers, effort, once)
        finally:
            app.close()

    def fill(self, tasks: int) -> int:
        """Save tasks of ten events each; answers the number of events."""
        app = LibraryTasks(self._environment(2))
        saved = [_ten_events(number) for number in range(tasks)]
        for at in range(0, tasks, 100):
            app.save(*saved[at : at + 100])
        LibraryProjection.last = app.recorder.max_notification_id() or 0
        app.close()
        return tasks * 10

    def catch_up(self, events: int, timeout_seconds: float = 120.0) -> float:
        """Events a second of its runner, from the first event to the last; rows and tracking start empty."""
        with self._database.owner() as connection:
            connection.execute("DROP TABLE IF EXISTS tasks_tracking, task_rows")
        LibraryProjection.finished.clear()
        started = perf_counter()
        with ProjectionRunner(
            application_class=LibraryTasks,
            projection_class=LibraryProjection,
            view_class=Rows,
            env=self._environment(2),
        ) as runner:
            while not LibraryProjection.finished.wait(0.5):
                runner.run_forever(timeout=0.001)  # raises what its thread has raised
                if perf_counter() - started > timeout_seconds:
                    raise RuntimeError("the library's runner did not come to the end in time")
            return events / (perf_counter() - started)

    def _environment(self, connections: int, *, database_functions: bool = False) -> dict[str, str]:
        parts = urlsplit(self._database.owner_url)
        return {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parts.hostname or "",
            "POSTGRES_PORT": str(parts.port),
            "POSTGRES_USER": unquote(parts.username or ""),
            "POSTGRES_PASSWORD": unquote(parts.password or ""),
            "POSTGRES_POOL_SIZE": str(connections),
            "POSTGRES_MAX_OVERFLOW": "2",
            "POSTGRES_CONNECT_TIMEOUT": "60",
            "POSTGRES_ENABLE_DB_FUNCTIONS": "yes" if database_functions else "no",
        }


def _ten_events(number: int) -> LibraryTask:
    task = LibraryTask(title=f"Write report {number}", description="With all figures.", status="todo", category="open")
    assignee = str(task.id)
    for turn in range(3):
        task.move(status="in_progress", category="active")
        task.assign(assignee=assignee)
        task.retitle(title=f"Write report {number}, draft {turn}")
    return task
