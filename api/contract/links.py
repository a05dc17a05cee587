"""Where a client can go on with what it was answered (OpenAPI links)."""

from collections.abc import Mapping
from typing import Any, Final

from api.contract.refusals import is_command

# The parameter of a path, and whose answers have it where.
_SOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "task_id": {"createTask": "/id", "listTasks": "/items/0/id", "listChanges": "/items/0/task_id"},
    "user_id": {"register": "/user/id", "listUsers": "/items/0/id"},
    "team_id": {"createTeam": "/id", "listTeams": "/items/0/id"},
    "invite_id": {"createInvite": "/id", "listInvites": "/items/0/id"},
    "feed_id": {"createFeed": "/id", "listFeeds": "/items/0/id"},
    "secret": {"createFeed": "/secret"},
    "token_id": {"createToken": "/id", "listTokens": "/items/0/id"},
    "comment_id": {"postComment": "/id", "listComments": "/items/0/id"},
    "item_id": {"addChecklistItem": "/items/0/id", "getChecklist": "/items/0/id"},
    "entry_id": {"addTimeEntry": "/id", "listTimeEntries": "/items/0/id"},
    "attachment_id": {"addAttachment": "/id", "listAttachments": "/items/0/id"},
    "template_id": {"createTemplate": "/id", "makeTemplate": "/id", "listTemplates": "/items/0/id"},
    "job_id": {"importTasks": "/id", "listJobs": "/items/0/id"},
    "view_id": {"createView": "/id", "listViews": "/items/0/id"},
    "reminder_id": {"addReminder": "/id", "listReminders": "/items/0/id"},
    "session_id": {"listSessions": "/items/0/id"},
}
# Who has read a version, and what can be asked of it alone.
_VERSIONED: Final[Mapping[str, tuple[str, str]]] = {
    "getTask": ("task_id", "editTask"),
    "getTeam": ("team_id", "editTeam"),
    "getTemplate": ("template_id", "editTemplate"),
    "getComment": ("comment_id", "editComment"),
}
# A member of an answer, and the operations whose bodies take it under a name.
_BODIES: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "register": ("refresh_token", "/refresh_token", ("refresh", "logOut")),
    "logIn": ("refresh_token", "/refresh_token", ("refresh", "logOut")),
    "refresh": ("refresh_token", "/refresh_token", ("refresh", "logOut")),
}

Operations = Mapping[str, dict[str, Any]]  # by operationId


def join(operations: Operations) -> None:
    """Put the links into the answers of these operations."""
    for name, sources in _SOURCES.items():
        users = [operation for operation in operations.values() if _takes(operation, name)]
        for source, pointer in sources.items():
            for user in users:
                parameters = {name: f"$response.body#{pointer}"}
                if is_command(operations[source]) and _takes(user, "min_position", "query"):
                    parameters["min_position"] = "$response.header.Taskfold-Position"  # reads what was just written
                _link(operations[source], user["operationId"], {"parameters": parameters})
    for source, (name, user_id) in _VERSIONED.items():
        parameters = {name: f"$request.path.{name}", "header.If-Match": "$response.header.ETag"}
        _link(operations[source], user_id, {"parameters": parameters})
    for source, (name, pointer, user_ids) in _BODIES.items():
        for user_id in user_ids:
            _link(operations[source], user_id, {"requestBody": {name: f"$response.body#{pointer}"}})


def _takes(operation: Mapping[str, Any], name: str, place: str = "path") -> bool:
    return any((one["in"], one["name"]) == (place, name) for one in operation.get("parameters", ()))


def _link(source: dict[str, Any], user_id: str, link: dict[str, Any]) -> None:
    status = next(status for status in source["responses"] if status.startswith("2"))
    source["responses"][status].setdefault("links", {})[user_id] = {"operationId": user_id, **link}
