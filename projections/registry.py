"""Every projection there is, by its name."""

from typing import Final

from projections.attachments import ATTACHMENTS
from projections.comments import COMMENTS
from projections.notifying import NOTIFICATIONS
from projections.projects import PROJECTS
from projections.tasks import TASKS
from projections.teams import TEAMS
from projections.templates import TEMPLATES
from projections.timing import TIMERS
from projections.users import USERS
from projections.views import VIEWS
from projections.workflows import WORKFLOWS

_OF_STREAMS: Final = (TASKS, USERS, TEAMS, PROJECTS, WORKFLOWS, COMMENTS, TEMPLATES, VIEWS, ATTACHMENTS)
TABLES: Final = {table.name: table for table in _OF_STREAMS}  # of which a row is a stream
PROJECTIONS: Final = {**TABLES, NOTIFICATIONS.name: NOTIFICATIONS, TIMERS.name: TIMERS}
