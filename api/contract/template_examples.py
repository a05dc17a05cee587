"""Examples of answers about templates, and of parameters that name them."""

from collections.abc import Mapping
from typing import Any, Final

from api.contract.examples import ADA, EARLIER, OTHER_ID, PROJECT_ID, TASK, TASK_ID

TEMPLATE_ID: Final = "019c2f3e-0000-7000-8000-000000000016"

_DEFINITION: Final[dict[str, Any]] = {
    "name": "Onboarding",
    "description": "What is to be done before somebody begins.",
    "variables": [{"name": "who", "kind": "text", "required": True, "default": None}],
    "roles": ["office"],
    "tasks": [
        {
            "ref": "laptop",
            "title": "Order a laptop for {{who}}",
            "description": "",
            "priority": "normal",
            "tags": ["onboarding"],
            "estimate_minutes": None,
            "start": None,
            "due": {"offset": "+3bd", "time": "12:00", "anchor": None},
            "assignee": {"role": "office"},
            "checklist": ["Ask {{who}} for a model"],
            "parent": None,
            "depends_on": [],
        }
    ],
}
_TEMPLATE: Final[dict[str, Any]] = {
    "id": TEMPLATE_ID,
    "version": 2,
    "position": 9,
    "created_by": ADA,
    "created_at": EARLIER,
    "updated_at": EARLIER,
    "deleted_at": None,
}
_TEMPLATE_BRIEF: Final[dict[str, Any]] = {
    **{name: _TEMPLATE[name] for name in ("id", "version", "position", "created_by", "created_at", "updated_at")},
    **{name: _DEFINITION[name] for name in ("name", "description", "variables")},
    "tasks": 1,
}
_SAVED: Final[dict[str, Any]] = {"saved_by": ADA, "saved_at": EARLIER}
_MADE: Final[dict[str, Any]] = {
    "ref": "laptop",
    "key": "APP-17",
    "title": "Order a laptop for Eve",
    "description": "",
    "status": "todo",
    "priority": "normal",
    "start_at": None,
    "due_at": "2027-01-31T17:00:00.000000Z",
    "due_on": None,
    "due_zone": "Europe/London",
    "assignee": None,
    "project_id": PROJECT_ID,
    "parent": None,
    "depends_on": [],
    "tags": ["onboarding"],
    "estimate_minutes": None,
    "checklist": ["Ask Eve for a model"],
}


def _page(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"items": [item], "next_cursor": None}


ANSWERS: Final[Mapping[str, Any]] = {
    "TemplateDocument": {**_DEFINITION, **_TEMPLATE},
    "TemplatePage": _page(_TEMPLATE_BRIEF),
    "VersionPage": _page({"version": 2, "position": 9, "name": "Onboarding", "tasks": 1, **_SAVED}),
    "VersionDocument": {**_DEFINITION, "id": TEMPLATE_ID, "version": 2, "position": 9, **_SAVED},
    "InstantiationDocument": {
        "id": OTHER_ID,
        "version": 1,
        "position": 42,
        "template_id": TEMPLATE_ID,
        "template_version": 2,
        "tasks": {"laptop": TASK_ID},
        "roots": [TASK],
    },
    "MakingDocument": {"template_id": TEMPLATE_ID, "template_version": 2, "tasks": [_MADE], "events": 4},
}
PARAMETERS: Final[Mapping[str, Any]] = {"template_id": TEMPLATE_ID, "version": 1}
