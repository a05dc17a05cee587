"""The rules of a Hypothesis state machine over every command on tasks, by several people of all roles.

What performs the commands is for the subclass to say: a log in memory, or the whole write side on PostgreSQL.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, multiple, rule

from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask, UnassignTask
from commands.user import ChangeRole
from domain.errors import Rejection
from domain.streams import State
from domain.task import Task
from domain.task_fields import Priority
from domain.user import Role, User
from tests.domain.given import ADA, BOB, MAX, NOBODY, person
from tests.domain.task_model import MEMBERS, Model, Modelled
from tests.domain.task_model import MOVES as ALLOWED

# Few values of each, so that commands often repeat what is so already; the last ones are refused.
PEOPLE = st.sampled_from([ADA, MAX, BOB, *MEMBERS, NOBODY])
WHOM = st.sampled_from([*MEMBERS, NOBODY])
GOOD_TITLES = st.sampled_from(["write", "read", "rüde 😀", "x" * 500])
TITLES = GOOD_TITLES | GOOD_TITLES | st.sampled_from(["", " ", "x" * 501, "a\x00b"])
REASONS = st.sampled_from([None, None, "because", "r" * 2_000, "a\x00b"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": st.sampled_from(["", "long\nand wide"]),
    "priority": st.sampled_from(Priority),
    "due_at": st.sampled_from([None, "2026-11-21T09:30:00.000000Z", "0001-01-02T00:00:00.000000Z"]),
    "tags": st.sampled_from([(), ("a",), ("b", "a")]),
    "assignee": st.none() | WHOM.map(person),
}
MOVES = st.sampled_from(["start", "pause", "complete", "cancel", "reopen", "fly"])


def scaled() -> settings:
    """As many examples as the profile of the run says, short ones."""
    return settings(settings.default, stateful_step_count=20)


class TaskMachine(RuleBasedStateMachine):
    """Each command is refused exactly when the model says so, and otherwise leads to what the model says."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.made = 0

    def perform(self, command: Modelled, actor: str) -> State | None:
        """Do it. Answers the state of the command's stream; raises `Rejection`."""
        raise NotImplementedError

    @initialize(target=tasks, actor=st.sampled_from([ADA, BOB]), title=GOOD_TITLES)
    def begin(self, actor: str, title: str) -> str | MultipleResults[str]:
        return self.create(actor, title, {})

    @rule(target=tasks, actor=PEOPLE, title=TITLES, fields=st.fixed_dictionaries({}, optional=FIELDS))
    def create(self, actor: str, title: str, fields: dict[str, Any]) -> str | MultipleResults[str]:
        self.made += 1
        task_id = f"00000000-0000-7000-8001-{self.made:012x}"
        return task_id if self._agree(CreateTask(task_id, title, **fields), actor) else multiple()

    @rule(actor=PEOPLE, task_id=tasks, fields=st.fixed_dictionaries({}, optional={"title": TITLES, **FIELDS}))
    def edit(self, actor: str, task_id: str, fields: dict[str, Any]) -> None:
        self._agree(EditTask(task_id, **fields), actor)

    @rule(actor=PEOPLE, task_id=tasks, whom=WHOM)
    def assign(self, actor: str, task_id: str, whom: str) -> None:
        self._agree(AssignTask(task_id, person(whom)), actor)

    @rule(actor=PEOPLE, task_id=tasks)
    def unassign(self, actor: str, task_id: str) -> None:
        self._agree(UnassignTask(task_id), actor)

    @rule(actor=PEOPLE, task_id=tasks, move=MOVES, reason=REASONS)
    def move(self, actor: str, task_id: str, move: str, reason: str | None) -> None:
        self._agree(MoveTask(task_id, move, reason), actor)

    @rule(actor=st.sampled_from([ADA, BOB]), task_id=tasks, choice=st.integers(0, 2))
    def move_on(self, actor: str, task_id: str, choice: int) -> None:
        """A move that the workflow has, so that tasks come far."""
        allowed = sorted(ALLOWED[self.model.tasks[task_id].status])
        self._agree(MoveTask(task_id, allowed[choice % len(allowed)]), actor)

    @rule(actor=PEOPLE, task_id=tasks, reason=REASONS, back=st.booleans())
    def delete(self, actor: str, task_id: str, reason: str | None, back: bool) -> None:
        deleted = self._agree(DeleteTask(task_id, reason), actor)
        if deleted and back:
            self.restore(actor, task_id, reason)

    @rule(actor=PEOPLE, task_id=tasks, reason=REASONS)
    def restore(self, actor: str, task_id: str, reason: str | None) -> None:
        self._agree(RestoreTask(task_id, reason), actor)

    @rule(actor=PEOPLE, kind=st.sampled_from([EditTask, UnassignTask, DeleteTask, RestoreTask]))
    def change_what_is_not_there(self, actor: str, kind: type[UnassignTask]) -> None:
        self._agree(kind(NOBODY), actor)

    @rule(actor=st.just(ADA) | PEOPLE, whom=WHOM, role=st.sampled_from(Role))
    def change_role(self, actor: str, whom: str, role: Role) -> None:
        self._agree(ChangeRole(whom, role), actor)

    def _agree(self, command: Modelled, actor: str) -> bool:
        """Do it here and in the model; whether it was done."""
        expected, code, state = self.model.expect(command, actor), None, None
        try:
            state = self.perform(command, actor)
        except Rejection as rejection:
            code = rejection.code
        assert code == expected, f"{command} by {actor}"
        if code is not None:
            return False
        if isinstance(command, ChangeRole):
            assert isinstance(state, User)
            assert state.role is self.model.roles[command.user_id]
        else:
            assert isinstance(state, Task)
            self.model.tasks[command.task_id].matches(state)
        return True
