"""For every operation, what each of those who may ask is to be answered.

The expected table stands here, and not in the program: a policy that is loosened there shows by what it lets through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.workflows import REVIEWED
from tests.api.cast import MEMBERS, NOBODY, OVERSEERS, OWN
from tests.api.making import (
    Make,
    add_dependency,
    add_member,
    add_project_member,
    archive_project,
    assign_to_oneself,
    change_email,
    choose_workflow,
    comment,
    confirm_factor,
    create_invite,
    create_project,
    delete_feed,
    delete_project,
    delete_team,
    delete_token,
    end_session,
    factor,
    file,
    get_tag,
    get_user,
    invite,
    job,
    made,
    plain,
    project,
    remove_dependency,
    remove_member,
    remove_project_member,
    reset_factor,
    restore_project,
    task,
    team,
    user,
    watch,
    workflow,
)
from tests.house import PASSWORD

Verdicts = Mapping[str, int]  # persona -> status


def verdicts(*groups: tuple[tuple[str, ...], int]) -> Verdicts:
    """What each persona is answered; who has no session is always refused."""
    return {**dict.fromkeys(NOBODY, 401), **{persona: status for names, status in groups for persona in names}}


LOGGED_IN: Final = (*MEMBERS, *OVERSEERS, "auditor")
OUTSIDE: Final = ("former", "unrelated")

ANYBODY: Final = verdicts((LOGGED_IN, 200))
SEE: Final = verdicts(((*OWN, *OVERSEERS, "auditor"), 200), (OUTSIDE, 404))
CHANGE: Final = verdicts(((*OWN, *OVERSEERS), 200), (("auditor",), 403), (OUTSIDE, 404))
OF_OTHERS: Final = verdicts(  # what is around a task and the creator's: for the creator, leads, and who oversees all
    (("creator", "lead", *OVERSEERS), 200), (("assignee", "teammate", "auditor"), 403), (OUTSIDE, 404)
)
CREATE: Final = verdicts(((*MEMBERS, *OVERSEERS), 201), (("auditor",), 403))
ADMINS: Final = verdicts((("admin",), 200), ((*MEMBERS, "manager", "auditor"), 403))
MANAGERS: Final = verdicts((OVERSEERS, 200), ((*MEMBERS, "auditor"), 403))
LEADS: Final = verdicts((LOGGED_IN, 403), ((*OVERSEERS, "lead"), 200))


# In the project of the cast the lead leads, the teammate edits, the assignee looks, and `former` was once.
IN_PROJECT: Final = verdicts(
    (("lead", "teammate", "assignee", *OVERSEERS, "auditor"), 200), (("creator", *OUTSIDE), 404)
)
OF_LEADS: Final = verdicts(
    (("lead", *OVERSEERS), 200), (("teammate", "assignee", "auditor"), 403), (("creator", *OUTSIDE), 404)
)


OF_JOBS: Final = verdicts((LOGGED_IN, 404), (("creator", "admin"), 200))


def answering(table: Verdicts, status: int) -> Verdicts:
    """The same table, where success has another status."""
    return {persona: status if expected == 200 else expected for persona, expected in table.items()}


@dataclass(frozen=True)
class Case:
    """An operation: what each persona sends, and what it is answered.

    `hides` says that what may not be seen must look exactly like what is not there.
    """

    make: Make
    verdicts: Verdicts
    hides: bool = False


NEW_PASSWORD: Final = {"current_password": PASSWORD, "new_password": "another horse battery"}
TITLE: Final = {"title": "new"}
HOUR: Final = {"minutes": 60, "on": "2026-11-21"}
ITEM: Final = ("/checklist", {"text": "an item of the matrix"})

CASES: Final[dict[str, Case]] = {
    "createTask": Case(plain("POST", "/tasks", TITLE), CREATE),
    "listTasks": Case(plain("GET", "/tasks"), ANYBODY),
    "searchTasks": Case(plain("GET", "/tasks/search?q=matrix"), ANYBODY),
    "exportTasks": Case(plain("GET", "/tasks/export?format=csv"), ANYBODY),
    "listChanges": Case(plain("GET", "/changes"), ANYBODY),
    "getTask": Case(task("GET"), SEE, hides=True),
    "getTaskHistory": Case(task("GET", "/history"), SEE, hides=True),
    "replaceTask": Case(task("PUT", "", TITLE), CHANGE, hides=True),
    "editTask": Case(task("PATCH", "", TITLE), CHANGE, hides=True),
    "deleteTask": Case(task("DELETE"), CHANGE, hides=True),
    "restoreTask": Case(task("POST", "/restore", None, "delete"), CHANGE, hides=True),
    "assignTask": Case(assign_to_oneself, CHANGE, hides=True),
    "unassignTask": Case(task("POST", "/unassign"), CHANGE, hides=True),
    "moveTask": Case(task("POST", "/moves", {"move": "start"}), CHANGE, hides=True),
    "listMoves": Case(task("GET", "/moves"), SEE, hides=True),
    "startTask": Case(task("POST", "/start"), CHANGE, hides=True),
    "pauseTask": Case(task("POST", "/pause", None, "start"), CHANGE, hides=True),
    "completeTask": Case(task("POST", "/complete"), CHANGE, hides=True),
    "cancelTask": Case(task("POST", "/cancel"), CHANGE, hides=True),
    "reopenTask": Case(task("POST", "/reopen", None, "complete"), CHANGE, hides=True),
    "listComments": Case(task("GET", "/comments"), SEE, hides=True),
    "getComment": Case(comment("GET"), SEE, hides=True),
    "getCommentHistory": Case(comment("GET", "/history"), SEE, hides=True),
    "postComment": Case(task("POST", "/comments", {"body": "new"}), answering(CHANGE, 201), hides=True),
    "editComment": Case(comment("PATCH", "", {"body": "new"}, own=True), CHANGE, hides=True),
    "deleteComment": Case(comment("DELETE"), OF_OTHERS, hides=True),
    "listWatchers": Case(task("GET", "/watchers"), SEE, hides=True),
    "addWatcher": Case(watch("PUT"), SEE, hides=True),
    "removeWatcher": Case(watch("DELETE"), SEE, hides=True),
    "getChecklist": Case(task("GET", "/checklist"), SEE, hides=True),
    "addChecklistItem": Case(task("POST", "/checklist", {"text": "new"}), answering(CHANGE, 201), hides=True),
    "changeChecklistItem": Case(made("PATCH", ITEM, {"checked": True}), CHANGE, hides=True),
    "removeChecklistItem": Case(made("DELETE", ITEM), CHANGE, hides=True),
    "listTimeEntries": Case(task("GET", "/time-entries"), SEE, hides=True),
    "addTimeEntry": Case(task("POST", "/time-entries", HOUR), answering(CHANGE, 201), hides=True),
    "editTimeEntry": Case(made("PATCH", ("/time-entries", HOUR), {"minutes": 61}), OF_OTHERS, hides=True),
    "removeTimeEntry": Case(made("DELETE", ("/time-entries", HOUR)), OF_OTHERS, hides=True),
    "listAttachments": Case(task("GET", "/attachments"), SEE, hides=True),
    "addAttachment": Case(task("POST", "/attachments?name=a.json", {}), answering(CHANGE, 201), hides=True),
    "getAttachment": Case(file("GET"), SEE, hides=True),
    "getAttachmentContent": Case(file("GET", "/content"), SEE, hides=True),
    "removeAttachment": Case(file("DELETE"), OF_OTHERS, hides=True),
    "listSubtasks": Case(task("GET", "/subtasks"), SEE, hides=True),
    "createSubtask": Case(task("POST", "/subtasks", TITLE), answering(CHANGE, 201), hides=True),
    "listDependencies": Case(task("GET", "/dependencies"), SEE, hides=True),
    "addDependency": Case(add_dependency, CHANGE, hides=True),
    "removeDependency": Case(remove_dependency, CHANGE, hides=True),
    "listTags": Case(plain("GET", "/tags"), ANYBODY),
    "getTag": Case(get_tag, ANYBODY),
    "changeTag": Case(plain("PATCH", "/tags/old", {"colour": "#ff0000"}), MANAGERS),
    "removeTag": Case(plain("DELETE", "/tags/old"), MANAGERS),
    "listUsers": Case(plain("GET", "/users"), ANYBODY),
    "getUser": Case(get_user, ANYBODY),
    "changeRole": Case(user("PUT", "/role", {"role": "manager"}), ADMINS),
    "getProfile": Case(plain("GET", "/users/profile"), ANYBODY),
    "changeProfile": Case(plain("PUT", "/users/profile", {"display_name": "new"}), ANYBODY),
    "listNotifications": Case(plain("GET", "/notifications"), ANYBODY),
    "markRead": Case(plain("POST", "/notifications/read", {"through": 1}), ANYBODY),
    "markUnread": Case(plain("POST", "/notifications/unread", {"positions": [1]}), ANYBODY),
    "listTeams": Case(plain("GET", "/teams"), ANYBODY),
    "getTeam": Case(team("GET"), ANYBODY),
    "createTeam": Case(plain("POST", "/teams", {"name": "new"}), answering(MANAGERS, 201)),
    "editTeam": Case(team("PATCH", "", {"name": "new"}), LEADS),
    "deleteTeam": Case(delete_team, MANAGERS),
    "addTeamMember": Case(add_member, LEADS),
    "removeTeamMember": Case(remove_member, LEADS),
    "listProjects": Case(plain("GET", "/projects"), ANYBODY),
    "getProject": Case(project("GET"), IN_PROJECT, hides=True),
    "createProject": Case(create_project, CREATE),
    "editProject": Case(project("PATCH", "", {"name": "new"}), OF_LEADS, hides=True),
    "archiveProject": Case(archive_project, OF_LEADS, hides=True),
    "restoreProject": Case(restore_project, OF_LEADS, hides=True),
    "deleteProject": Case(delete_project, OF_LEADS, hides=True),
    "addProjectMember": Case(add_project_member, OF_LEADS, hides=True),
    "removeProjectMember": Case(remove_project_member, OF_LEADS, hides=True),
    "chooseWorkflow": Case(choose_workflow, OF_LEADS, hides=True),
    "listWorkflows": Case(plain("GET", "/workflows"), ANYBODY),
    "getWorkflow": Case(workflow("GET"), ANYBODY),
    "createWorkflow": Case(plain("POST", "/workflows", REVIEWED), answering(MANAGERS, 201)),
    "changeWorkflow": Case(workflow("PUT", "", REVIEWED), MANAGERS),
    "previewWorkflow": Case(workflow("POST", "/preview", REVIEWED), MANAGERS),
    "importTasks": Case(
        plain("POST", "/tasks/import?format=jsonl", TITLE), verdicts(((*MEMBERS, *OVERSEERS), 202), (("auditor",), 403))
    ),
    "listJobs": Case(plain("GET", "/jobs"), ANYBODY),
    "getJob": Case(job("GET"), OF_JOBS, hides=True),
    "getJobReport": Case(job("GET", "/report"), OF_JOBS, hides=True),
    "cancelJob": Case(job("POST", "/cancel"), OF_JOBS, hides=True),
    "issueSocketTicket": Case(plain("POST", "/auth/ws-ticket"), ANYBODY),
    "listTokens": Case(plain("GET", "/auth/tokens"), ANYBODY),
    "createToken": Case(plain("POST", "/auth/tokens", {"name": "x", "scopes": ["read"]}), answering(ANYBODY, 201)),
    "revokeToken": Case(delete_token, answering(ANYBODY, 204)),
    "listFeeds": Case(plain("GET", "/feeds"), ANYBODY),
    "createFeed": Case(plain("POST", "/feeds", {"name": "x"}), answering(ANYBODY, 201)),
    "withdrawFeed": Case(delete_feed, answering(ANYBODY, 204)),
    "listSessions": Case(plain("GET", "/auth/sessions"), ANYBODY),
    "revokeSession": Case(end_session, answering(ANYBODY, 204)),
    "revokeOtherSessions": Case(plain("DELETE", "/auth/sessions"), answering(ANYBODY, 204)),
    "proveYourself": Case(plain("POST", "/auth/proof", {"password": PASSWORD}), answering(ANYBODY, 204)),
    "getSecondFactor": Case(plain("GET", "/auth/second-factor"), ANYBODY),
    "beginSecondFactor": Case(plain("POST", "/auth/second-factor", {"password": PASSWORD}), answering(ANYBODY, 201)),
    "confirmSecondFactor": Case(confirm_factor, ANYBODY),
    "renewRecoveryCodes": Case(factor("recovery-codes"), ANYBODY),
    "removeSecondFactor": Case(factor("remove"), answering(ANYBODY, 204)),
    "resetSecondFactor": Case(reset_factor, ADMINS),
    "changePassword": Case(plain("POST", "/auth/password", NEW_PASSWORD), answering(ANYBODY, 204)),
    "changeEmail": Case(change_email, answering(ANYBODY, 202)),
    "deactivateUser": Case(user("POST", "/deactivate"), ADMINS),
    "reactivateUser": Case(user("POST", "/reactivate"), ADMINS),
    "listInvites": Case(plain("GET", "/users/invites"), MANAGERS),
    "getInvite": Case(invite("GET"), MANAGERS),
    "createInvite": Case(create_invite, answering(MANAGERS, 201)),
    "withdrawInvite": Case(invite("DELETE"), MANAGERS),
}
