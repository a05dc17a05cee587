"""The types of commands that a batch takes: each is a route, whose body, parameters and answer it has."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self
from uuid import UUID

from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from api.batch.references import Places, places_of
from api.commanding import CommandRoute
from api.scopes import needed
from commands.staging import Staged

# By the type of a command, the operation of its route.
TYPES: Final[Mapping[str, str]] = {
    "task.create": "createTask",
    "task.replace": "replaceTask",
    "task.edit": "editTask",
    "task.delete": "deleteTask",
    "task.restore": "restoreTask",
    "task.assign": "assignTask",
    "task.unassign": "unassignTask",
    "task.move": "moveTask",
    "task.start": "startTask",
    "task.pause": "pauseTask",
    "task.complete": "completeTask",
    "task.cancel": "cancelTask",
    "task.reopen": "reopenTask",
    "subtask.create": "createSubtask",
    "dependency.add": "addDependency",
    "dependency.remove": "removeDependency",
    "comment.post": "postComment",
    "comment.edit": "editComment",
    "comment.delete": "deleteComment",
    "watcher.add": "addWatcher",
    "watcher.remove": "removeWatcher",
    "checklist.add": "addChecklistItem",
    "checklist.change": "changeChecklistItem",
    "checklist.remove": "removeChecklistItem",
    "time.add": "addTimeEntry",
    "time.edit": "editTimeEntry",
    "time.remove": "removeTimeEntry",
    "tag.change": "changeTag",
    "tag.remove": "removeTag",
    "notification.read": "markRead",
    "notification.unread": "markUnread",
    "user.change_role": "changeRole",
    "user.reactivate": "reactivateUser",
    "team.create": "createTeam",
    "team.edit": "editTeam",
    "team.delete": "deleteTeam",
    "team.add_member": "addTeamMember",
    "team.remove_member": "removeTeamMember",
    "project.create": "createProject",
    "project.edit": "editProject",
    "project.archive": "archiveProject",
    "project.restore": "restoreProject",
    "project.delete": "deleteProject",
    "project.add_member": "addProjectMember",
    "project.remove_member": "removeProjectMember",
    "project.choose_workflow": "chooseWorkflow",
    "workflow.create": "createWorkflow",
    "workflow.change": "changeWorkflow",
    "view.create": "createView",
    "view.edit": "editView",
    "view.delete": "deleteView",
    "template.create": "createTemplate",
    "template.make": "makeTemplate",
    "template.replace": "replaceTemplate",
    "template.edit": "editTemplate",
    "template.delete": "deleteTemplate",
    "template.instantiate": "instantiateTemplate",
    "reminder.add": "addReminder",
    "reminder.remove": "removeReminder",
    "recurrence.set": "setRecurrence",
    "recurrence.skip": "skipOccurrence",
    "recurrence.stop": "stopRecurrence",
}
# Commands that have no type, and why.
APART: Final[Mapping[str, str]] = {
    "createInvite": "a mail and a token go with it, which are no events",
    "withdrawInvite": "the token of the invite goes with it, which is no event",
    "changeProfile": "what a profile says is kept outside the log",
    "deactivateUser": "sessions end with it, which are outside the log",
    "resetSecondFactor": "credentials are outside the log",
    "removeAttachment": "the bytes of a file are outside the log",
    "purgeTask": "the bytes of its files go with it, which are outside the log",
    "undo": "it takes back whole commands, and a batch is one that has not happened yet",
}
# Where what is created is not the stream of the receipt: how its id follows from the command, and what that will write.
Made = Callable[[Any, Staged], str]


def _first_task(_: Any, staged: Staged) -> str:
    made: Any = staged.facts[0][0].event
    return str(made.roots[0])


_MADE: Final[Mapping[str, Made]] = {
    "addChecklistItem": lambda command, _: command.item_id,
    "addTimeEntry": lambda command, _: command.entry_id,
    "addReminder": lambda command, _: command.reminder_id,
    "instantiateTemplate": _first_task,
}

Parse = Callable[[Any], Any]  # raises ValueError, which says what it must be


@dataclass(frozen=True, slots=True)
class Type:
    """A route, as what a command of a batch does.

    `target` is the first parameter of its path, `parameters` are the others, with the flags of its query.
    """

    name: str
    endpoint: Callable[..., Any]
    method: str
    path: str
    status: int
    scope: str | None
    target: tuple[str, Parse] | None
    parameters: Mapping[str, Parse]
    flags: frozenset[str]
    validate: Callable[[bytes], Any] | None
    optional: bool
    places: Places
    made: Made | None

    @property
    def creates(self) -> bool:
        """Whether there is a new thing afterwards, with an id."""
        return self.status == 201

    @classmethod
    def of(cls, name: str, route: CommandRoute) -> Self:
        """The type of a route."""
        parameters = inspect.signature(route.endpoint, eval_str=True).parameters
        parsers = {each: _parser(one.annotation) for each, one in parameters.items() if each not in ("call", "body")}
        in_path = [part[1:-1].partition(":")[0] for part in route.path.split("/") if part.startswith("{")]
        target = (in_path[0], parsers.pop(in_path[0])) if in_path else None
        body = parameters.get("body")
        method = next(iter(route.methods or ("POST",)))
        places = {} if body is None else places_of(TypeAdapter(body.annotation).json_schema())
        return cls(
            name=name,
            endpoint=route.endpoint,
            method=method,
            path=route.path,
            status=route.status_code or 200,
            scope=needed(method, route.path),
            target=target,
            parameters=parsers,
            flags=frozenset(each for each in parsers if each not in in_path),
            validate=None if body is None else TypeAdapter(body.annotation).validator.validate_json,
            optional=body is not None and body.default is not inspect.Parameter.empty,
            places={**places, **{each: True for each in parsers if parameters[each].annotation is UUID}},
            made=_MADE.get(route.operation_id or ""),
        )


def types_of(routes: Iterable[BaseRoute]) -> dict[str, Type]:
    """All types, by name, of the routes of the program."""
    by_operation = {route.operation_id: route for route in routes if isinstance(route, CommandRoute)}
    return {name: Type.of(name, by_operation[operation]) for name, operation in TYPES.items()}


def _parser(kind: Any) -> Parse:
    if kind is UUID:
        return _id
    if kind is bool:
        return _flag
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice(kind)
    return _text


def _id(value: Any) -> str:
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError("must be a UUID") from error


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _choice(kind: type[Enum]) -> Parse:
    allowed = ", ".join(str(member.value) for member in kind)

    def choose(value: Any) -> Enum:
        try:
            return kind(value)
        except ValueError as error:
            raise ValueError(f"must be one of {allowed}") from error

    return choose
