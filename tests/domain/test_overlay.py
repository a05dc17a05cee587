"""Commands on top of commands that have not happened yet: what they yield is what they yield when each has happened."""

import gc
from weakref import ref

from hypothesis import given as example
from hypothesis import strategies as st

from commands.checklist import AddItem
from commands.deciding import Command
from commands.dependencies import LinkTasks
from commands.overlay import Overlay
from commands.task import AssignTask, CreateTask, DeleteTask, EditTask, MoveTask, RestoreTask
from domain.errors import Rejection
from domain.project import ProjectRole
from domain.task_links import LinkType
from domain.user import Role
from tests.domain.given import ADA, BOB, PROJECT, Given, person
from tests.domain.templates import named

IDS = st.sampled_from([named(name) for name in "abcd"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        CreateTask,
        IDS,
        st.just("write"),
        project_id=st.sampled_from([None, PROJECT]),
        parent_id=st.none() | IDS,
        assignee=st.sampled_from([None, person(BOB)]),
    ),
    st.builds(EditTask, IDS, title=st.sampled_from(["write", "read"]), project_id=st.sampled_from([None, PROJECT])),
    st.builds(EditTask, IDS, parent_id=st.none() | IDS),
    st.builds(MoveTask, IDS, st.sampled_from(["start", "complete", "reopen"]), close_subtasks=st.booleans()),
    st.builds(LinkTasks, IDS, st.sampled_from(LinkType), IDS),
    st.builds(DeleteTask, IDS, subtasks=st.booleans()),
    st.builds(RestoreTask, IDS),
    st.builds(AssignTask, IDS, st.just(person(ADA))),
    st.builds(AddItem, IDS, st.just(named("item")), st.just("look")),
)


def world() -> Given:
    """Ada is the admin, and Bob edits a project, in which there is a task."""
    given = (
        Given().member(ADA, Role.ADMIN).member(BOB).project(PROJECT, {BOB: ProjectRole.EDITOR, ADA: ProjectRole.LEAD})
    )
    return given.does(CreateTask(named("a"), "there", project_id=PROJECT))


def created(given: Given, command: Command) -> bool:
    """Whether it would create what is there: ids are new by nature, so no decision looks."""
    return isinstance(command, CreateTask) and command.task_id in given.folded


@example(st.lists(COMMANDS, max_size=12))
def test_on_an_overlay_commands_yield_what_they_yield_one_after_the_other(commands: list[Command]) -> None:
    given, before = world(), world()
    overlay = Overlay(before.context(ADA))
    done = len(given.log)
    for command in commands:
        if created(given, command):
            continue
        expected = code_of(given, command)
        assert decided(overlay, command) == expected
    assert [(event.stream_id, event.event) for event in given.log[done:]] == overlay.facts
    known = {stream_id: folded.version for stream_id, folded in before.folded.items()}
    assert overlay.reads.items() <= {**dict.fromkeys(overlay.reads, 0), **known}.items()
    assert {fact.stream_id for fact in overlay.facts} <= overlay.reads.keys()


def test_an_overlay_is_gone_with_its_last_user() -> None:
    """What it holds may be large, and the collector of circles comes late."""
    gc.disable()
    try:
        overlay = Overlay(world().context(ADA))
        overlay.run(CreateTask(named("a"), "write", project_id=PROJECT))
        last = ref(overlay)
        del overlay
        assert last() is None
    finally:
        gc.enable()


def code_of(given: Given, command: Command) -> str | None:
    """Let a command happen; why it is refused, if it is."""
    try:
        given.does(command)
    except Rejection as refused:
        return refused.code
    return None


def decided(overlay: Overlay, command: Command) -> str | None:
    """The same on an overlay."""
    try:
        overlay.run(command)
    except Rejection as refused:
        return refused.code
    return None
