"""Taking back all that one command wrote, by events that say the opposite.

Nothing is removed from the log. Each event is taken back by a step of its own, the last one first, over the states of
now and of what the steps before it did; so the rules of today hold, and all that was read is an expectation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from commands.appending import Fact
from commands.deciding import Context, forbidden
from commands.inverse import keeping, place, tags, talk, task, timed, tree, workspace
from commands.inverse.step import Inverse, Step, Wrote, depends
from commands.overlay import Overlay
from domain.custom_workflow import WorkflowChanged
from domain.errors import Conflict, Invalid, NotFound
from domain.events import Erased, Event, Recorded, name_of
from domain.inbox import inbox_of
from domain.policy import Action, Relation, may, to_project, to_task, to_view
from domain.project import Project, ProjectDeleted, ProjectWorkflowChanged
from domain.reminder import ReminderEvent
from domain.streams import kind_of
from domain.system import SYSTEM
from domain.tagbook import Tagbook, book_id
from domain.task import Task, TaskDeleted, TaskRestored, TaskStatusMapped
from domain.undo import BY_ITSELF, DAYS, FOLLOWING, LOOKS, STAYING
from domain.user import User
from domain.view import View

INVERSES: Final[Mapping[type[Event], Inverse]] = {
    **task.INVERSES,
    **tree.INVERSES,
    **talk.INVERSES,
    **place.INVERSES,
    **workspace.INVERSES,
    **keeping.INVERSES,
    **tags.INVERSES,
    **timed.INVERSES,
}

_WORKFLOWS: Final = (WorkflowChanged, ProjectWorkflowChanged)
_TREES: Final = (TaskDeleted, TaskRestored)
_PARTS: Final = frozenset({"watching", "checklist", "timesheet", "attachment", "reminder", "series"})
_ADMINISTRATIVE: Final = frozenset({"user", "workspace", "invite", "team", "project", "workflow"})
_UNORDERED: Final = frozenset({"subtasks", "links"})


class ChangedSince(Conflict):
    """What an event set has another value now. `step` is that event."""

    def __init__(self, step: Step, fields: Sequence[str]) -> None:
        detail = f"{', '.join(fields)} changed since {name_of(step.event)} at position {step.recorded.position}"
        super().__init__("undo.changed_since", detail, event_position=step.recorded.position, fields=list(fields))
        self.step = step


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back what a command wrote. `position` is that of one of its events; `too_old` is for the clock to say."""

    position: int
    wrote: Wrote
    too_old: bool = False

    @property
    def stream_id(self) -> str:
        """The stream of the event that was named; where that follows from others, of what they are about."""
        steps = [step for step in self.wrote.steps if not place.is_part(step)]
        named = next((step for step in steps if step.recorded.position == self.position), None)
        first = next((step for step in steps if isinstance(step.event, _TREES)), None)
        chosen = named or first or (steps[-1] if steps else None)
        return self.wrote.events[0].stream_id if chosen is None else chosen.stream_id

    @property
    def is_administrative(self) -> bool:
        """Whether it wrote of members, invites, teams, projects or workflows."""
        return any(kind_of(name_of(each.event)) in _ADMINISTRATIVE for each in self.wrote.events)

    def decide(self, context: Context) -> Sequence[Fact]:
        """The events that take it back, the last one first; none where that was done, and tasks are still to follow it.

        Raises `NotFound` `undo.not_found` where the actor does not see all that it is about, `Forbidden`, `Conflict`
        `undo.too_old`, `undo.impossible`, `undo.erased`, `undo.changed_since`, `undo.depends`, and whatever the rules
        of today refuse.
        """
        self.check_may(context)
        self._check_can()
        if tags.goes_on(context, self.wrote):
            return []
        overlay = Overlay(context, self.wrote.events[-1].recorded_at)
        for step in _in_turn(self.wrote.steps):
            if not place.is_part(step):
                overlay.happen(_taken_back(overlay, step))
        touched = {fact.stream_id for fact in overlay.facts}
        tree.check_whole(overlay, sorted(touched))
        return overlay.facts

    def check_may(self, context: Context) -> None:
        """Raises `NotFound` `undo.not_found` where the actor does not see all that it is about, `Forbidden`."""
        context.need({recorded.stream_id for recorded in self.wrote.events})
        actor = context.actor()
        if not all(_sees(context, actor, recorded, self.wrote) for recorded in self.wrote.events):
            raise undo_not_found()
        own = Relation.SELF if actor.id == self.wrote.author else 0
        if not may(actor.role, Action.UNDO, Relation.UNRELATED | own):
            raise forbidden(actor, Action.UNDO)

    def _check_can(self) -> None:
        events = self.wrote.events
        if self.too_old:
            detail = f"a command can be taken back for {DAYS} days; this one is of {events[0].recorded_at}"
            raise Conflict("undo.too_old", detail, days=DAYS, recorded_at=events[0].recorded_at)
        stays = dict.fromkeys(LOOKS, BY_ITSELF) | dict(STAYING) if self.wrote.author == SYSTEM else STAYING
        staying = [(each, stays[type(each.event)]) for each in events if type(each.event) in stays]
        if staying:
            found = [{"position": each.position, "type": name_of(each.event), "why": why} for each, why in staying]
            raise Conflict("undo.impossible", f"{found[0]['type']} cannot be taken back: {staying[0][1]}", events=found)
        erased = [each.position for each in events if isinstance(each.event, Erased)]
        if erased:
            raise Conflict("undo.erased", "what it wrote was erased, and is not known any more", positions=erased)


def undo_not_found() -> NotFound:
    """No such position, or nothing there that the actor sees: one answer."""
    return NotFound("undo.not_found", "no event at this position is visible to you")


def steps_of(wrote: Wrote, states: Mapping[int, tuple[Any, Any]]) -> Iterator[Step]:
    """The events that are taken back, with the states of their streams before and after each, by position."""
    for recorded in wrote.events:
        if type(recorded.event) in LOOKS:
            yield Step(recorded, *states[recorded.position], wrote)


def is_step(event: Event) -> bool:
    """Whether it is taken back by itself; others follow from such ones, or stay."""
    return type(event) in LOOKS


def follows(event: Event) -> bool:
    """Whether it goes with another event of its command."""
    return type(event) in FOLLOWING


def _in_turn(steps: Sequence[Step]) -> list[Step]:
    """The last one first. But a workflow comes after the tasks that it mapped, or was given back: it must find none of
    them at a status that it has not.
    """
    turns: list[Step] = []
    waiting: list[Step] = []
    for step in reversed(steps):
        if waiting and not isinstance(step.event, TaskStatusMapped):
            turns, waiting = [*turns, *waiting], []
        (waiting if isinstance(step.event, _WORKFLOWS) else turns).append(step)
    return [*turns, *waiting]


def _taken_back(context: Context, step: Step) -> Sequence[Fact]:
    changed = _changed(context, step)
    if changed and talk.is_for_a_mention(step):
        return []
    if changed:
        raise ChangedSince(step, changed)
    try:
        return INVERSES[type(step.event)](context, step)
    except (NotFound, Invalid) as refusal:  # it was seen before: what is missing now is gone
        raise depends(refusal.detail, rule=refusal.code) from refusal


def _changed(context: Context, step: Step) -> list[str]:
    """The fields that the event set and that have other values now."""
    look, now = LOOKS[type(step.event)], context.folded(step.stream_id).state
    was, is_ = look(step.after, step.event), look(now, step.event)
    return [field for field in was if not _same(context, field, was[field], is_[field])]


def _same(context: Context, field: str, was: Any, now: Any) -> bool:
    if was == now or field not in ("tags", *_UNORDERED):
        return bool(was == now)
    if field in _UNORDERED:
        return not isinstance(was, bool) and sorted(map(str, was)) == sorted(map(str, now))
    book = context.read(book_id(context.workspace_id), Tagbook)
    return book is not None and book.written(was) == book.written(now)


def _sees(context: Context, actor: User, recorded: Recorded, wrote: Wrote) -> bool:
    """Whether somebody sees what an event is about. What follows from others is seen with them."""
    event, stream_id = recorded.event, recorded.stream_id
    kind = kind_of(name_of(event))
    if follows(event):
        return True
    if isinstance(event, ReminderEvent) and actor.id != event.user_id and wrote.author != SYSTEM:
        return False  # each is somebody's own
    if kind in _PARTS or kind in ("task", "comment"):
        return _sees_task(context, actor, _task_of(context, kind, stream_id))
    special = _SEEN.get(kind)
    return special is None or special(context, actor, stream_id, wrote)


def _task_of(context: Context, kind: str, stream_id: str) -> str | None:
    if kind == "task":
        return stream_id
    state = context.folded(stream_id).state
    task_id = getattr(state, "task_id", None)
    return None if not task_id else str(task_id)


def _sees_task(context: Context, actor: User, task_id: str | None) -> bool:
    found = None if task_id is None else context.read(task_id, Task)
    return found is not None and may(actor.role, Action.TASK_READ, to_task(actor, found))


def _sees_project(context: Context, actor: User, project_id: str, wrote: Wrote) -> bool:
    """In what is deleted nobody is any more: who deleted it knows of it."""
    project = context.read(project_id, Project)
    if actor.id == wrote.author and project is not None and project.deleted_at:
        return wrote.has(ProjectDeleted, project_id)
    return may(actor.role, Action.PROJECT_READ, to_project(actor, project_id))


def _sees_view(context: Context, actor: User, view_id: str, _: Wrote) -> bool:
    view = context.read(view_id, View)
    return view is not None and may(actor.role, Action.VIEW_READ, to_view(actor, view))


_SEEN: Final[Mapping[str, Callable[[Context, User, str, Wrote], bool]]] = {
    "project": _sees_project,
    "view": _sees_view,
    "invite": lambda _context, actor, _stream_id, _wrote: may(actor.role, Action.USER_INVITE),
    "inbox": lambda _context, actor, stream_id, _wrote: stream_id == inbox_of(actor.id),
}
