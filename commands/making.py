"""Tasks that a template would make, shown as they would be: read from a decision that is not appended."""

from collections.abc import Mapping
from typing import Final

import msgspec

from commands.overlay import Overlay
from domain.checklist import Checklist
from domain.talk import Part, stream_of
from domain.task import Task
from domain.task_fields import Assignee, Priority
from domain.template import TemplateTask


class Made(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A task that would be made, as it would be; the others by what they are called in the template."""

    ref: str
    key: str | None
    title: str
    description: str
    status: str
    priority: Priority
    start_at: str | None
    due_at: str | None
    due_on: str | None
    due_zone: str | None
    assignee: Assignee | None
    project_id: str | None
    parent: str | None
    depends_on: tuple[str, ...]
    tags: tuple[str, ...]
    estimate_minutes: int | None
    checklist: tuple[str, ...]


class Preview(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What making tasks of a version of a template would come to: the tasks, and how many events."""

    template_id: str
    template_version: int
    tasks: list[Made]
    events: int


_NAMED: Final = frozenset({"ref", "parent", "depends_on", "checklist"})
_SAME: Final = tuple(name for name in Made.__struct_fields__ if name not in _NAMED)


def shown(overlay: Overlay, task: TemplateTask, ids: Mapping[str, str]) -> Made:
    """A task as it is on top of an overlay in which it was made."""
    state = overlay.read(ids[task.ref], Task)
    assert state is not None
    checklist = overlay.read(stream_of(state.id, Part.CHECKLIST), Checklist) if task.checklist else None
    return Made(
        ref=task.ref,
        parent=task.parent,
        depends_on=task.depends_on,
        checklist=() if checklist is None else tuple(item.text for item in checklist.items),
        **{name: getattr(state, name) for name in _SAME},
    )
