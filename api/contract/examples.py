"""Examples: of the bodies of requests, of the answers, and of parameters. Each is valid by the schema beside it."""

from collections.abc import Mapping
from typing import Any, Final

ADA: Final = "019c2f3e-0000-7000-8000-000000000001"
TASK_ID: Final = "019c2f3e-0000-7000-8000-000000000002"
TEAM_ID: Final = "019c2f3e-0000-7000-8000-000000000003"
WORKFLOW_ID: Final = "019c2f3e-0000-7000-8000-000000000015"
OTHER_ID: Final = "019c2f3e-0000-7000-8000-000000000012"
PROJECT_ID: Final = "019c2f3e-0000-7000-8000-000000000013"
INVITE_ID: Final = "019c2f3e-0000-7000-8000-000000000004"
SESSION_ID: Final = "019c2f3e-0000-7000-8000-000000000005"
TOKEN_ID: Final = "019c2f3e-0000-7000-8000-000000000006"  # noqa: S105
COMMENT_ID: Final = "019c2f3e-0000-7000-8000-000000000007"
ITEM_ID: Final = "019c2f3e-0000-7000-8000-000000000008"
SERIES_ID: Final = "019c2f3e-0000-5000-8000-000000000014"
ENTRY_ID: Final = "019c2f3e-0000-7000-8000-000000000009"
FILE_ID: Final = "019c2f3e-0000-7000-8000-00000000000a"
REMINDER_ID: Final = "019c2f3e-0000-7000-8000-00000000000b"
FEED_ID: Final = "019c2f3e-0000-7000-8000-000000000010"
JOB_ID: Final = "019c2f3e-0000-7000-8000-000000000011"
VIEW_ID: Final = "019c2f3e-0000-7000-8000-00000000000c"
REQUEST_ID: Final = "019c2f3e-0000-7000-8000-00000000000f"
EARLIER: Final = "2026-11-21T09:30:00.000000Z"
LATER: Final = "2026-12-21T09:30:00.000000Z"
_PASSWORD: Final = "correct horse"  # noqa: S105
_NEW_PASSWORD: Final = "battery staple"  # noqa: S105
_ACCESS: Final = "a signed token"
_PERSONAL: Final = "tfp_, 43 random characters and a checksum of 6"
FEED_SECRET: Final = "tff_and-43-random-characters-and-6-more"  # noqa: S105
_REFRESH: Final = "the refresh token of your last login"
_OTP_SECRET: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105  # pragma: allowlist secret
_LINKED: Final = "the token of the link"

TASK: Final[dict[str, Any]] = {
    "id": TASK_ID,
    "version": 3,
    "position": 42,
    "title": "Write the report",
    "description": "",
    "status": "in_progress",
    "category": "active",
    "priority": "high",
    "start_at": "2027-01-25T08:00:00.000000Z",
    "due_at": "2027-01-31T17:00:00.000000Z",
    "due_on": None,
    "due_zone": "Europe/London",
    "overdue_since": None,
    "assignee": {"type": "user", "id": ADA},
    "project_id": PROJECT_ID,
    "key": "APP-17",
    "parent_id": None,
    "subtasks": [],
    "links": [],
    "tags": ["q4"],
    "estimate_minutes": 90,
    "series_id": None,
    "occurrence": None,
    "followed_by": None,
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "completed_at": None,
    "deleted_at": None,
    "purged_at": None,
}
NOTIFICATION: Final[dict[str, Any]] = {
    "position": 42,
    "reason": "assigned",
    "event": "task.assigned",
    "task_id": TASK_ID,
    "comment_id": None,
    "actor": ADA,
    "at": EARLIER,
}
_USER: Final[dict[str, Any]] = {
    "id": ADA,
    "version": 1,
    "email": "ada@example.com",
    "display_name": "Ada",
    "role": "admin",
    "active": True,
    "teams": [TEAM_ID],
    "joined_at": EARLIER,
}
_PROFILE: Final = {
    **_USER,
    "projects": [PROJECT_ID],
    "preferences": {"default_view": "today"},
    "time_zone": "Europe/London",
    "locale": "en-GB",
}
_TEAM: Final[dict[str, Any]] = {
    "id": TEAM_ID,
    "version": 2,
    "position": 7,
    "name": "Operations",
    "description": "",
    "members": [{"user_id": ADA, "role": "lead"}],
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "deleted_at": None,
}
_BRIEF: Final[dict[str, Any]] = {
    "id": OTHER_ID,
    "key": "APP-18",
    "title": "Ask the regions",
    "status": "todo",
    "category": "open",
    "priority": "normal",
    "assignee": None,
    "project_id": PROJECT_ID,
    "parent_id": None,
}
_TABLE: Final[dict[str, Any]] = {
    "statuses": [
        {"name": "todo", "category": "open", "limit": None},
        {"name": "doing", "category": "active", "limit": 2},
        {"name": "done", "category": "done", "limit": None},
    ],
    "initial": "todo",
    "moves": [
        {"name": "start", "from": ["todo"], "to": "doing", "who": [], "requires": ["assignee"]},
        {"name": "complete", "from": ["doing"], "to": "done", "who": ["lead"], "requires": []},
    ],
}
_WORKFLOW: Final[dict[str, Any]] = {
    **_TABLE,
    "id": WORKFLOW_ID,
    "version": 2,
    "position": 9,
    "name": "Reviewed",
    "projects": [PROJECT_ID],
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
}
_PROJECT: Final[dict[str, Any]] = {
    "id": PROJECT_ID,
    "version": 2,
    "position": 8,
    "name": "Application",
    "key": "APP",
    "description": "",
    "blocking": "hard",
    "workflow_id": WORKFLOW_ID,
    "members": [{"user_id": ADA, "role": "lead"}],
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "archived_at": None,
}
_INVITE: Final[dict[str, Any]] = {
    "id": INVITE_ID,
    "email": "bob@example.com",
    "role": "member",
    "status": "open",
    "created_by": ADA,
    "created_at": EARLIER,
    "expires_at": LATER,
}
_TOKEN: Final[dict[str, Any]] = {
    "id": TOKEN_ID,
    "name": "nightly report",
    "scopes": ["read"],
    "created_at": EARLIER,
    "expires_at": LATER,
    "last_used_at": None,
}
_SESSION: Final[dict[str, Any]] = {
    "id": SESSION_ID,
    "created_at": EARLIER,
    "last_used_at": EARLIER,
    "expires_at": LATER,
    "user_agent": "curl/8.11.0",
    "network": "192.0.2.0/24",
    "current": True,
}
_ENTRY: Final[dict[str, Any]] = {
    "position": 42,
    "version": 3,
    "type": "task.started",
    "data": {"reason": None},
    "actor": ADA,
    "recorded_at": EARLIER,
    "correlation_id": REQUEST_ID,
    "causation_id": REQUEST_ID,
    "changes": {"status": {"from": "todo", "to": "in_progress"}},
    "passed_over": False,
}
_CHANGES: Final[list[dict[str, Any]]] = [
    {"op": "upsert", "position": 42, "task_id": TASK_ID, "task": TASK},
    {"op": "removed", "position": 43, "task_id": TASK_ID},
]

_TAG: Final[dict[str, Any]] = {"name": "quarter-4", "colour": "#1f6feb", "description": "For the report"}


def page(*items: Mapping[str, Any]) -> dict[str, Any]:
    """The last page of these."""
    return {"items": list(items), "next_cursor": None}


# What is answered, by the name of its schema.
ANSWERS: Final[Mapping[str, Any]] = {
    "TaskDocument": TASK,
    "DependencyList": {"items": [{"type": "blocked_by", "task_id": OTHER_ID, "closed": False, "task": _BRIEF}]},
    "SubtaskTree": {
        "progress": {"total": 1, "closed": 0, "done": 0},
        "truncated": False,
        "items": [{**_BRIEF, "parent_id": TASK_ID, "depth": 1, "progress": {"total": 0, "closed": 0, "done": 0}}],
    },
    "ProjectDocument": _PROJECT,
    "WorkflowDocument": _WORKFLOW,
    "WorkflowPage": {**page(_WORKFLOW), "standard": _TABLE},
    "PreviewDocument": {
        "tasks": 3,
        "moving": [{"project_id": PROJECT_ID, "status": "review", "to": "doing", "tasks": 3}],
        "crowded": [{"project_id": PROJECT_ID, "status": "doing", "limit": 2, "count": 3}],
        "why_not": None,
    },
    "OptionsDocument": {
        "task_id": TASK_ID,
        "version": 3,
        "status": "doing",
        "items": [
            {
                "move": "complete",
                "to": "done",
                "category": "done",
                "who": ["lead"],
                "requires": [],
                "why_not": {"code": "task.move_not_allowed", "detail": "this move is for leads"},
            }
        ],
    },
    "ProjectPage": page(_PROJECT),
    "TaskPage": page(TASK),
    "HistoryPage": page(_ENTRY),
    "ChangePage": {**page(*_CHANGES), "position": 43},
    "UserDocument": _USER,
    "UserPage": page(_USER),
    "ProfileDocument": _PROFILE,
    "TeamDocument": _TEAM,
    "TeamPage": page(_TEAM),
    "InviteDocument": _INVITE,
    "InviteList": page(_INVITE),
    "TokenPage": page(_TOKEN),
    "NewToken": {**_TOKEN, "token": _PERSONAL},
    "SessionPage": page(_SESSION),
    "TicketDocument": {"ticket": "a ticket for one socket", "expires_in": 30},
    "TokensDocument": {
        "access_token": _ACCESS,
        "refresh_token": _REFRESH,
        "token_type": "bearer",  # nosec B105
        "expires_in": 900,
        "user": _PROFILE,
    },
    "NotificationPage": {
        **page({**NOTIFICATION, "task": {"title": "Write the report", "key": "APP-17"}, "read": False}),
        "unread": 1,
    },
    "InboxDocument": {"version": 1, "position": 43, "through": 42},
    "TagDocument": _TAG,
    "CountedTag": {**_TAG, "tasks": 3},
    "TagPage": page({**_TAG, "tasks": 3}),
    "Alive": {"status": "alive"},
    "Ready": {
        "status": "ready",
        "database": {
            "status": "ok",
            "projections": [{"name": "tasks", "lag": 0, "behind": 0, "failing": 0, "first_failing": []}],
        },
        "redis": {"status": "ok"},
    },
    "StandingDocument": {"enabled": True, "added_at": EARLIER, "recovery_codes": 10},
    "EnrolmentDocument": {
        "secret": _OTP_SECRET,
        "otpauth_uri": f"otpauth://totp/Taskfold:ada%40example.com?secret={_OTP_SECRET}&issuer=Taskfold",
    },
    "RecoveryDocument": {"recovery_codes": ["k7wn-4tqe-9xhd", "m2zc-8rvy-5jpb"]},
    "Running": {"version": "0.1.0", "epoch": "7423019238471923847-1-0"},
    "KeySet": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",  # pragma: allowlist secret
                "kid": "k1",
                "use": "sig",
                "alg": "EdDSA",
            }
        ]
    },
}

# What is sent, by the name of its schema, where the schema has no examples of its own.
BODIES: Final[Mapping[str, Any]] = {
    "ConfirmBody": {"token": _LINKED},
    "EmptyBody": {},
    "ForgottenBody": {"email": "ada@example.com"},
    "LoginBody": {"email": "ada@example.com", "password": _PASSWORD},
    "PasswordBody": {"current_password": _PASSWORD, "new_password": _NEW_PASSWORD},
    "ReasonBody": {"reason": "the figures are late"},
    "RefreshBody": {"refresh_token": _REFRESH},
    "ResetBody": {"token": _LINKED, "new_password": _NEW_PASSWORD},
    "RoleBody": {"role": "manager"},
}
FORM: Final = {"username": "ada@example.com", "password": _PASSWORD}

# Parameters, by name.
PARAMETERS: Final[Mapping[str, Any]] = {
    "task_id": TASK_ID,
    "user_id": ADA,
    "team_id": TEAM_ID,
    "invite_id": INVITE_ID,
    "session_id": SESSION_ID,
    "token_id": TOKEN_ID,
    "comment_id": COMMENT_ID,
    "item_id": ITEM_ID,
    "entry_id": ENTRY_ID,
    "attachment_id": FILE_ID,
    "reminder_id": REMINDER_ID,
    "job_id": JOB_ID,
    "dry_run": False,
    "on_error": "stop",
    "source": "February",
    "column": ["title:Summary"],
    "verdict": ["refused"],
    "problems": False,
    "thread": COMMENT_ID,
    "name": "report.pdf",
    "member": ADA,
    "assignee": "me",
    "created_by": "me",
    "status": ["todo", "in_progress"],
    "category": ["open", "active"],
    "priority": ["high", "urgent"],
    "tag": ["q4"],
    "project_id": PROJECT_ID,
    "key": "APP-17",
    "archived": False,
    "workflow_id": WORKFLOW_ID,
    "view_id": VIEW_ID,
    "by": "status,assignee,due",
    "subtasks": True,
    "type": "blocks",
    "other_id": OTHER_ID,
    "parent_id": TASK_ID,
    "series_id": SERIES_ID,
    "n": 10,
    "trashed": False,
    "feed_id": FEED_ID,
    "secret": FEED_SECRET,
    "as": "todo",
    "format": "csv",
    "include": ["comments"],
    "bom": True,
    "unread": True,
    "due_before": "2027-01-31T17:00:00Z",
    "due_after": "2026-11-21T09:30:00Z",
    "start_before": "2027-01-31T17:00:00Z",
    "start_after": "2026-11-21T09:30:00Z",
    "overdue": False,
    "updated_after": "2026-11-21T09:30:00Z",
    "q": "report",
    "sort": "-priority,due_at",
    "limit": 50,
    "after": 0,
    "min_position": 0,
    "as_of": 1,
    "Idempotency-Key": "f3b0c442-98fc-4c14-9afb-f4c8996fb924",
    "If-Match": "*",
}
