"""Every projection there is, by its name."""

from typing import Final

from projections.attachments import ATTACHMENTS
from projections.comments import COMMENTS
from projections.notifying import NOTIFICATIONS
from projections.projects import PROJECTS
from projections.tasks import TASKS
from projections.teams import TEAMS
from projections.users import USERS
from projections.views import VIEWS
from projections.workflows import WORKFLOWS

TABLES: Final = {
    table.name: table for table in (TASKS, USERS, TEAMS, PROJECTS, WORKFLOWS, COMMENTS, VIEWS, ATTACHMENTS)
}
PROJECTIONS: Final = {**TABLES, NOTIFICATIONS.name: NOTIFICATIONS}  # of which a row is a stream, and all
