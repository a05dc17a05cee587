"""Whom and what a file names: people by e-mail address, teams by name, projects by key, or each by its id here."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from commands.event_store import Pool
from commands.streams import Streams
from domain.errors import Invalid
from domain.import_line import Where, Whom
from domain.policy import Action, may, to_project
from domain.project import Project, key_id
from domain.project_key import ProjectKey
from domain.streams import State
from domain.task_fields import Assignee
from domain.team import Team
from domain.user import User

MOST: Final = 20_000  # names that are remembered
AGE_SECONDS: Final = 60.0  # how old what is known of them may be: the command looks again

TeamsByName = Callable[[str, str], Awaitable[Sequence[str]]]  # workspace, name -> ids


class ImportNames:
    """Looks names up, each once."""

    def __init__(self, pool: Pool, streams: Streams, workspace_id: str, actor_id: str, teams: TeamsByName) -> None:
        self._pool = pool
        self._streams = streams
        self._workspace_id = workspace_id
        self._actor_id = actor_id
        self._teams = teams
        self._assignees: dict[Whom, Assignee | None] = {}
        self._projects: dict[Where, str | None] = {}

    async def assignee(self, whom: Whom) -> Assignee:
        """Raises `Invalid` `assignee.not_found`."""
        if whom not in self._assignees:
            if len(self._assignees) >= MOST:
                self._assignees.clear()
            self._assignees[whom] = await (self._team(whom) if whom.type == "team" else self._user(whom))
        found = self._assignees[whom]
        if found is None:
            kind = "the name of one team" if whom.type == "team" else "the e-mail address of a member"
            raise Invalid("assignee.not_found", "/assignee", f"must be {kind} of this workspace", whom.name or whom.id)
        return found

    async def project(self, where: Where) -> str:
        """The id of one that the importer sees. Whether tasks may be put there, the command says. Raises `Invalid`."""
        if where not in self._projects:
            if len(self._projects) >= MOST:
                self._projects.clear()
            self._projects[where] = await self._project(where)
        found = self._projects[where]
        if found is None:
            detail = "must be the key of a project that you are in"
            raise Invalid("project.not_found", "/project", detail, where.key or where.id)
        return found

    async def _user(self, whom: Whom) -> Assignee | None:
        user = await self._state(whom.id)
        if isinstance(user, User):
            return Assignee(type="user", id=user.id)
        if whom.name is None or "\x00" in whom.name:
            return None
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT user_id::text FROM accounts WHERE workspace_id = %s AND lower(email) = lower(%s)",
                (self._workspace_id, whom.name.strip()),
            )
            row = await cursor.fetchone()
        return None if row is None else Assignee(type="user", id=row[0])

    async def _team(self, whom: Whom) -> Assignee | None:
        team = await self._state(whom.id)
        if isinstance(team, Team) and not team.deleted_at:
            return Assignee(type="team", id=team.id)
        if whom.name is None or "\x00" in whom.name:
            return None
        found = await self._teams(self._workspace_id, whom.name)
        return Assignee(type="team", id=found[0]) if len(found) == 1 else None

    async def _project(self, where: Where) -> str | None:
        known = await self._seen(where.id)
        if known is not None or where.key is None:
            return known
        key = await self._state(key_id(self._workspace_id, where.key.strip()))
        return await self._seen(key.project_id) if isinstance(key, ProjectKey) else None

    async def _seen(self, project_id: str | None) -> str | None:
        """The project with this id, if the importer sees it: of any other the answer is that there is none."""
        project, actor = await self._state(project_id), await self._state(self._actor_id)
        if not isinstance(project, Project) or project.deleted_at or not isinstance(actor, User):
            return None
        return project.id if may(actor.role, Action.PROJECT_READ, to_project(actor, project.id)) else None

    async def _state(self, stream_id: str | None) -> State | None:
        if stream_id is None:
            return None
        try:
            known = str(UUID(stream_id))
        except ValueError:
            return None
        return await self._streams.current(self._workspace_id, known, AGE_SECONDS)
