"""Examples of answers about many tasks at once: searches, views, batches, what is taken back, jobs and feeds."""

from collections.abc import Mapping
from typing import Any, Final

from api.contract.examples import ADA, EARLIER, FEED_ID, FEED_SECRET, JOB_ID, TASK, TASK_ID, VIEW_ID, page

_FEED: Final[dict[str, Any]] = {
    "id": FEED_ID,
    "name": "Due to me",
    "teams": False,
    "created_at": EARLIER,
    "last_used_at": None,
}
_JOB: Final[dict[str, Any]] = {
    "id": JOB_ID,
    "kind": "task_import",
    "state": "running",
    "input": {
        "format": "csv",
        "size": 48_215,
        "sha256": "0f" * 32,
        "dry_run": False,
        "on_error": "stop",
        "project_id": None,
        "source": None,
        "columns": {"Summary": "title"},
    },
    "progress": {"phase": "writing", "done": 200, "total": 1_000},
    "counts": {},
    "problem": None,
    "position": 1_042,
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "finished_at": None,
}
_REFUSED_LINE: Final[dict[str, Any]] = {
    "line": 17,
    "verdict": "refused",
    "task_id": None,
    "problems": [
        {
            "code": "assignee.not_found",
            "detail": "must be the e-mail address of a member of this workspace",
            "pointer": "/assignee",
            "value": "eve@example.com",
        }
    ],
}
_VIEW: Final[dict[str, Any]] = {
    "id": VIEW_ID,
    "version": 1,
    "position": 43,
    "name": "Mine, soon",
    "query": "assignee:me is:open due<7d sort:due",
    "sharing": "private",
    "team_id": None,
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
}
_FOUND: Final[dict[str, Any]] = {
    **TASK,
    "highlights": [{"field": "title", "text": "Write the report", "marks": [[10, 16]]}],
}
_COUNTS: Final[dict[str, Any]] = {
    "status": [{"value": "todo", "tasks": 12}, {"value": "in_progress", "tasks": 3}],
    "assignee": [{"value": None, "tasks": 10}, {"value": ADA, "tasks": 5}],
}

# What is answered, by the name of its schema.
ANSWERS: Final[Mapping[str, Any]] = {
    "SearchPage": {**page(_FOUND), "cut": False, "fuzzy": False, "corrected": {}},
    "FacetsDocument": {"facets": _COUNTS, "total": 15, "cut": False},
    "ViewDocument": _VIEW,
    "ViewPage": page(_VIEW),
    "FeedPage": page(_FEED),
    "NewFeed": {**_FEED, "secret": FEED_SECRET, "url": f"https://tasks.example.com/api/v1/feeds/{FEED_SECRET}.ics"},
    "UndoDocument": {
        "undone": [{"position": 42, "type": "task.edited", "stream_id": TASK_ID}],
        "written": [{"position": 43, "type": "task.edited", "stream_id": TASK_ID}],
        "task": {**TASK, "version": 4, "position": 43},
    },
    "JobDocument": _JOB,
    "JobPage": page(_JOB),
    "ReportPage": page(_REFUSED_LINE),
    "BatchDocument": {
        "verdicts": [
            {
                "id": "report",
                "outcome": "done",
                "status": 201,
                "stream_id": TASK_ID,
                "version": 3,
                "position": 42,
                "body": TASK,
                "created": TASK_ID,
                "location": f"/api/v1/tasks/{TASK_ID}",
            }
        ],
        "done": 1,
        "refused": 0,
        "not_done": 0,
        "would_do": 0,
        "position": 42,
    },
    "BulkDocument": {
        "matched": 3,
        "done": 0,
        "would_do": 2,
        "refused": 1,
        "refusals": {"task.illegal_move": 1},
        "sample": [TASK_ID],
        "position": 42,
    },
}
