"""The commands on saved views."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from commands.appending import Fact
from commands.deciding import Context, forbidden
from domain import query
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import Action, may, to_team, to_view
from domain.shelf import VIEWS_MAX, Shelf, ShelfViewAdded, ShelfViewRemoved, shelf_of
from domain.text import check_line, check_text
from domain.view import EDITABLE, NAME_MAX, Sharing, View, ViewCreated, ViewDeleted, ViewEdited, ViewShared


@dataclass(frozen=True, slots=True)
class ViewCommand:
    """A command on one view."""

    view_id: str

    @property
    def stream_id(self) -> str:
        """The view's own stream."""
        return self.view_id


@dataclass(frozen=True, slots=True)
class CreateView(ViewCommand):
    """Keep a query under a name; `view_id` is new."""

    name: str
    query: str
    sharing: Sharing = Sharing.PRIVATE
    team_id: str | None = None

    def decide(self, context: Context) -> Sequence[Fact]:
        """The creation. Raises `Invalid` `query.invalid`, `view.team`, `Conflict` `view.too_many`."""
        name, text = _name(self.name), _query(self.query)
        context.allowed(Action.VIEW_CREATE)
        check_sharing(context, self.sharing, self.team_id)
        context.begin(self.view_id)
        made = ViewCreated(name=name, query=text, sharing=self.sharing, team_id=self.team_id)
        return [Fact(self.view_id, made), put(context, context.actor_id, self.view_id)]


@dataclass(frozen=True, slots=True)
class EditView(ViewCommand):
    """Give some fields new values. What is UNSET, or has that value already, stays."""

    name: str | UnsetType = UNSET
    query: str | UnsetType = UNSET
    sharing: Sharing | UnsetType = UNSET
    team_id: str | UnsetType | None = UNSET

    def decide(self, context: Context) -> Sequence[Fact]:
        """An edit of the fields that differ, and whom it is shared with. Raises `Invalid`, `NotFound`, `Forbidden`."""
        if self.name is not UNSET:
            _name(self.name)
        if self.query is not UNSET:
            _query(self.query)
        view = permitted(context, self.view_id, Action.VIEW_CHANGE)
        wanted = {field: getattr(self, field) for field in EDITABLE}
        new = {field: value for field, value in wanted.items() if value is not UNSET and value != getattr(view, field)}
        return [*([Fact(self.view_id, ViewEdited(**new))] if new else []), *self._shared(context, view)]

    def _shared(self, context: Context, view: View) -> list[Fact]:
        sharing = view.sharing if self.sharing is UNSET else self.sharing
        kept = view.team_id if sharing is Sharing.TEAM else None
        team_id = kept if self.team_id is UNSET else self.team_id
        if (sharing, team_id) == (view.sharing, view.team_id):
            return []
        check_sharing(context, sharing, team_id)
        return [Fact(self.view_id, ViewShared(sharing=sharing, team_id=team_id))]


@dataclass(frozen=True, slots=True)
class DeleteView(ViewCommand):
    """Let a view cease to be."""

    def decide(self, context: Context) -> Sequence[Fact]:
        """The deletion. Raises `NotFound`, `Forbidden`."""
        view = permitted(context, self.view_id, Action.VIEW_CHANGE)
        return [Fact(self.view_id, ViewDeleted()), *_taken(context, view)]


def permitted(context: Context, view_id: str, action: Action) -> View:
    """A view to which the actor may do the action. Raises `NotFound`, `Forbidden`."""
    actor = context.actor()
    view = context.read(view_id, View)
    if view is None or view.deleted_at:
        raise view_not_found()
    relations = to_view(actor, view)
    if not may(actor.role, action, relations):
        raise forbidden(actor, action) if may(actor.role, Action.VIEW_READ, relations) else view_not_found()
    return view


def view_not_found() -> NotFound:
    """Unknown, deleted or not visible: one and the same answer."""
    return NotFound("view.not_found", "no view with this id is visible to you")


def put(context: Context, owner_id: str, view_id: str) -> Fact:
    """A view more of its owner. Raises `Conflict` `view.too_many`."""
    shelf = context.read(shelf_of(owner_id), Shelf)
    if shelf is not None and shelf.count >= VIEWS_MAX:
        raise Conflict("view.too_many", f"a user has at most {VIEWS_MAX} views; delete some", most=VIEWS_MAX)
    return Fact(shelf_of(owner_id), ShelfViewAdded(view_id=view_id))


def _taken(context: Context, view: View) -> list[Fact]:
    shelf = context.read(shelf_of(view.created_by), Shelf)
    return [] if shelf is None else [Fact(shelf.id, ShelfViewRemoved(view_id=view.id))]


def check_sharing(context: Context, sharing: Sharing, team_id: str | None) -> None:
    """Raises `Invalid` `view.team`, `NotFound` `team.not_found`, `Forbidden`."""
    if (sharing is Sharing.TEAM) is not (team_id is not None):
        detail = "must be the id of a team where a view is shared with one, and nothing else where it is not"
        raise Invalid("view.team", "/team_id", f"{detail}; sharing is {sharing.value!r}", team_id)
    if team_id is not None:
        context.team(team_id)
        context.allowed(Action.VIEW_SHARE, to_team(context.actor(), team_id))


def _name(name: str) -> str:
    return check_line(name, "/name", most=NAME_MAX)


def _query(text: str) -> str:
    query.parse(check_text(text, "/query", most=query.QUERY_MAX), "/query")
    return text
