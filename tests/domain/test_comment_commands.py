"""Comments: who says what, to whom, in which thread; and what is left of one that is deleted or erased."""

import pytest

from commands.comment import DeleteComment, EditComment, PostComment
from domain import streams
from domain.comment import (
    BODY_MAX,
    ERASED_BODY,
    MENTIONS_MAX,
    Comment,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    mentioned,
)
from domain.errors import Forbidden, Invalid, NotFound
from domain.task import TaskAssigned, TaskDeleted
from domain.task_fields import Assignee
from domain.team import TeamRole
from domain.user import Role, UserDeactivated
from domain.watching import WatcherAdded, Why
from tests.domain.given import ADA, BOB, EVE, MAX, NOBODY, OTHER, TASK, TEAM, ZOE, Given, at, rejected
from tests.domain.test_erased import erase

FIRST, SECOND, THIRD = (f"00000000-0000-7000-8000-00000000030{n}" for n in range(1, 4))


@pytest.fixture
def given() -> Given:
    """Bob's task, of a team that Zoe leads and Eve is in; Ada is an admin, Max has nothing to do with it."""
    given = Given().member(ADA, Role.ADMIN).member(BOB).member(EVE).member(ZOE).member(MAX)
    given.team(TEAM, {ZOE: TeamRole.LEAD, EVE: TeamRole.MEMBER})
    given.task(TASK, TaskAssigned(assignee=Assignee(type="team", id=TEAM)), by=BOB)
    return given.happened(FIRST, CommentPosted(task_id=TASK, body="Well?"), by=EVE)


def comment(given: Given, comment_id: str = FIRST) -> Comment:
    state = given.state(comment_id)
    assert isinstance(state, Comment)
    return state


def test_whoever_sees_the_task_comments_on_it(given: Given) -> None:
    posted = [CommentPosted(task_id=TASK, body="Yes.")]
    for by in (ADA, BOB, EVE, ZOE):
        assert given.when(PostComment(TASK, SECOND, "Yes."), by=by) == posted
        assert given.reads.keys() == {by, TASK, SECOND}
    with rejected("task.not_found", NotFound):
        given.when(PostComment(TASK, SECOND, "Yes."), by=MAX)
    given.member(NOBODY, Role.AUDITOR)
    with rejected("auth.forbidden", Forbidden):
        given.when(PostComment(TASK, SECOND, "Yes."), by=NOBODY)


def test_nobody_comments_on_what_is_in_the_trash(given: Given) -> None:
    given.happened(TASK, TaskDeleted(), by=BOB)
    for command in (PostComment(TASK, SECOND, "x"), EditComment(TASK, FIRST, "x"), DeleteComment(TASK, FIRST)):
        with rejected("task.not_found", NotFound):
            given.when(command, by=EVE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "value.length"),
        (" \n\t", "value.blank"),
        ("x" * (BODY_MAX + 1), "value.length"),
        ("a\x00b", "value.character"),
    ],
)
def test_a_comment_says_something(given: Given, body: str, code: str) -> None:
    for command in (PostComment(TASK, SECOND, body), EditComment(TASK, FIRST, body)):
        with rejected(code, Invalid):
            given.when(command, by=EVE)


def test_threads_are_one_level_deep(given: Given) -> None:
    given.does(PostComment(TASK, SECOND, "Yes.", reply_to=FIRST), by=BOB)
    assert comment(given, SECOND).reply_to == FIRST
    with rejected("reply.too_deep", Invalid) as refused:
        given.when(PostComment(TASK, THIRD, "Sure?", reply_to=SECOND), by=BOB)
    assert FIRST in refused.value.detail


def test_an_answer_is_to_a_comment_of_the_same_task_that_is_there(given: Given) -> None:
    given.task(OTHER, by=BOB)
    with rejected("reply.not_found", Invalid):
        given.when(PostComment(OTHER, SECOND, "Yes.", reply_to=FIRST), by=BOB)
    given.does(DeleteComment(TASK, FIRST), by=EVE)
    for head in (FIRST, NOBODY, TASK):
        with rejected("reply.not_found", Invalid):
            given.when(PostComment(TASK, SECOND, "Yes.", reply_to=head), by=BOB)


def test_whom_a_text_mentions_is_read_from_it_once_each_in_order() -> None:
    assert mentioned(f"@{{{BOB}}}, @{{{EVE.upper()}}} and @{{{BOB}}}: @{{x}} @{BOB} {{{ZOE}}}") == (BOB, EVE)


def test_only_who_sees_the_task_is_mentioned(given: Given) -> None:
    body = f"Ask @{{{ZOE}}} or @{{{ADA}}}."
    assert given.when(PostComment(TASK, SECOND, body), by=BOB) == [
        CommentPosted(task_id=TASK, body=body, mentions=(ZOE, ADA)),
        WatcherAdded(task_id=TASK, user_id=ZOE, why=Why.MENTION),
        WatcherAdded(task_id=TASK, user_id=ADA, why=Why.MENTION),
    ]
    assert given.reads.keys() >= {ZOE, ADA}  # who loses sight of it meanwhile undoes the verdict
    given.happened(ZOE, UserDeactivated())
    for blind in (MAX, NOBODY, TASK, ZOE):
        with rejected("mention.not_visible", Invalid) as refused:
            given.when(PostComment(TASK, SECOND, f"Ask @{{{blind}}}."), by=BOB)
        assert refused.value.extra["errors"][0]["value"] == blind


def test_a_comment_mentions_so_many_and_no_more(given: Given) -> None:
    crowd = "".join(f"@{{{NOBODY[:-2]}{n:02}}}" for n in range(MENTIONS_MAX + 1))
    with rejected("value.length", Invalid):
        given.when(PostComment(TASK, SECOND, crowd), by=BOB)


def test_an_author_puts_it_in_other_words_and_nobody_else(given: Given) -> None:
    assert given.when(EditComment(TASK, FIRST, "Now?"), by=EVE) == [CommentEdited(body="Now?")]
    assert given.when(EditComment(TASK, FIRST, "Well?"), by=EVE) == []
    for other in (ADA, BOB, ZOE):
        with rejected("auth.forbidden", Forbidden):
            given.when(EditComment(TASK, FIRST, "Now?"), by=other)
    with rejected("task.not_found", NotFound):
        given.when(EditComment(TASK, FIRST, "Now?"), by=MAX)


def test_an_edit_may_keep_a_mention_of_somebody_who_sees_the_task_no_more(given: Given) -> None:
    given.does(EditComment(TASK, FIRST, f"@{{{ZOE}}}?"), by=EVE).happened(ZOE, UserDeactivated())
    given.does(EditComment(TASK, FIRST, f"@{{{ZOE}}}!"), by=EVE)
    assert (comment(given).mentions, comment(given).edited_at) == ((ZOE,), at(len(given.log)))


def test_authors_leads_managers_and_admins_delete_a_comment(given: Given) -> None:
    given.member(NOBODY, Role.MANAGER)
    for by in (ADA, EVE, ZOE, NOBODY):
        assert given.when(DeleteComment(TASK, FIRST), by=by) == [CommentDeleted()]
    with rejected("auth.forbidden", Forbidden):
        given.when(DeleteComment(TASK, FIRST), by=BOB)


def test_what_is_deleted_has_no_words_and_takes_no_command(given: Given) -> None:
    given.does(DeleteComment(TASK, FIRST), by=ZOE)
    gone = comment(given)
    assert (gone.body, gone.mentions, gone.deleted_by, gone.created_by) == (None, (), ZOE, EVE)
    for command in (EditComment(TASK, FIRST, "x"), DeleteComment(TASK, FIRST), DeleteComment(TASK, TASK)):
        with rejected("comment.not_found", NotFound):
            given.when(command, by=EVE)


def test_a_comment_is_found_at_its_own_task_alone(given: Given) -> None:
    given.task(OTHER, by=EVE)
    for command in (EditComment(OTHER, FIRST, "x"), DeleteComment(OTHER, FIRST)):
        with rejected("comment.not_found", NotFound):
            given.when(command, by=EVE)


def test_a_comment_folds_whatever_was_erased(given: Given) -> None:
    given.does(EditComment(TASK, FIRST, "Now?"), by=EVE).does(DeleteComment(TASK, FIRST), by=EVE)
    log = [logged for logged in given.log if logged.stream_id == FIRST]
    for versions, task_id, body in (((1,), None, "Now?"), ((2,), TASK, "Well?"), ((1, 2), None, ERASED_BODY)):
        state = streams.fold(erase(log[:2], *versions))
        assert isinstance(state, Comment)
        assert (state.task_id, state.body, state.version) == (task_id, body, 2)
    gone = streams.fold(erase(log, 1, 2, 3))
    assert isinstance(gone, Comment)
    assert (gone.body, gone.deleted_by) == (None, EVE)
