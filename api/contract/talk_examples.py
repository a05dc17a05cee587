"""Examples of answers about what is around a task: comments, watchers, the checklist, hours and files."""

from collections.abc import Mapping
from typing import Any, Final

from api.contract.examples import ADA, COMMENT_ID, EARLIER, ENTRY_ID, FILE_ID, ITEM_ID, TASK_ID, page

_COMMENT: Final[dict[str, Any]] = {
    "id": COMMENT_ID,
    "version": 1,
    "position": 44,
    "task_id": TASK_ID,
    "body": "The figures of March are missing.",
    "mentions": [],
    "reply_to": None,
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "edited_at": None,
    "deleted_at": None,
    "deleted_by": None,
}
_TIME: Final[dict[str, Any]] = {
    "id": ENTRY_ID,
    "task_id": TASK_ID,
    "user_id": ADA,
    "minutes": 90,
    "on": "2027-01-31",
    "note": "Figures",
    "created_at": EARLIER,
    "updated_at": EARLIER,
}
_SUMS: Final[dict[str, Any]] = {"total_minutes": 90, "by_user": [{"user_id": ADA, "minutes": 90}]}
_FILE: Final[dict[str, Any]] = {
    "id": FILE_ID,
    "task_id": TASK_ID,
    "name": "report.pdf",
    "size": 12_345,
    "media_type": "application/pdf",
    "sha256": "0f" * 32,
    "created_by": ADA,
    "created_at": EARLIER,
}

# What is answered, by the name of its schema.
ANSWERS: Final[Mapping[str, Any]] = {
    "CommentDocument": _COMMENT,
    "CommentPage": page(_COMMENT),
    "WatcherList": page({"user_id": ADA, "why": "creator"}),
    "WatchedDocument": {"task_id": TASK_ID, "user_id": ADA, "watching": True, "why": "explicit"},
    "ChecklistDocument": {
        "task_id": TASK_ID,
        "version": 2,
        "items": [
            {"id": ITEM_ID, "text": "Ask for the figures", "checked": True, "checked_by": ADA, "checked_at": EARLIER}
        ],
        "total": 1,
        "checked": 1,
    },
    "EntryDocument": _TIME,
    "EntryPage": {**page(_TIME), **_SUMS},
    "TimesheetDocument": {"task_id": TASK_ID, "version": 1, **_SUMS},
    "AttachmentDocument": _FILE,
    "AttachmentList": page(_FILE),
}
