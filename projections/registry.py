"""Every projection there is, by its name."""

from typing import Final

from projections.comments import COMMENTS
from projections.notifying import NOTIFICATIONS
from projections.projects import PROJECTS
from projections.tasks import TASKS
from projections.teams import TEAMS
from projections.templates import TEMPLATES
from projections.timing import TIMERS
from projections.users import USERS
from projections.workflows import WORKFLOWS

# Of which a row is a stream, and all.
TABLES: Final = {table.name: table for table in (TASKS, USERS, TEAMS, PROJECTS, WORKFLOWS, COMMENTS, TEMPLATES)}
PROJECTIONS: Final = {**TABLES, NOTIFICATIONS.name: NOTIFICATIONS, TIMERS.name: TIMERS}
