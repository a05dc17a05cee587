"""What is asked of a board: the kinds of pages, and a few questions of each.

`{rare}` is a word that few tasks have, `{common}` and `{common2}` are those that most have.
"""

from typing import Final, NamedTuple

from bench import names
from domain.query_fields import SORTABLE


class Question(NamedTuple):
    """A page: the query, the sort where it stands beside the query, and whether it is one of the trash."""

    q: str = ""
    sort: str = ""
    trashed: bool = False


class Kind(NamedTuple):
    """Questions of one kind. `page` says what is answered: see `board_asking.ASKING`."""

    name: str
    page: str
    questions: tuple[Question, ...]


def _queries(*texts: str) -> tuple[Question, ...]:
    return tuple(map(Question, texts))


_BY_ONE: Final = tuple(f"{down}{name}" for name in SORTABLE for down in ("", "-"))
_BY_TWO: Final = (
    *("-priority,due", "due,-priority", "title,-created", "priority,-updated", "-priority,title"),
    *("-due,title", "due,updated", "-updated,priority", "priority,due,-created"),
)
_ANY_SORT: Final = (
    Question(),
    *(Question(f"sort:{sort}") for sort in _BY_ONE),
    Question(sort="start_at"),
    Question(sort="-start_at"),
)
_TWO_SORTS: Final = (
    *(Question(f"sort:{sort}") for sort in _BY_TWO),
    Question(sort="start_at,priority"),
)

KINDS: Final = (
    Kind(names.BY_ANY_SORT, "list", _ANY_SORT),
    Kind(names.BY_TWO_SORTS, "list", _TWO_SORTS),
    Kind(names.FAR_DOWN, "far", _ANY_SORT),
    Kind(names.FAR_DOWN_BY_TWO, "far", _TWO_SORTS),
    Kind(
        "the trash",
        "list",
        (Question(trashed=True), *(Question(f"sort:{sort}", trashed=True) for sort in (*_BY_ONE, *_BY_TWO[:3]))),
    ),
    Kind(
        "filter, of many",
        "list",
        _queries("status:done", "-status:done", "priority:normal", "tag:t0", "has:due", "project:none"),
    ),
    Kind(
        "filter, of few",
        "list",
        _queries(
            *("status:stuck", "tag:rare", "priority:urgent is:overdue", "assignee:me", "key:P3-33", "due:today"),
        ),
    ),
    Kind(
        "filter, of some",
        "list",
        _queries(
            *("is:open", "is:active sort:-priority", "is:overdue sort:due", "due<7d due>-7d"),
            *("updated>-3d sort:-updated", "created<-600d sort:title", "estimate>=4h sort:-due"),
            "tag:t0 -tag:t1 priority>=high is:open sort:due",
        ),
    ),
    Kind(
        "filter by words",
        "list",
        _queries("{common}", "{rare}", '"{middle} {common}"', "{common} -{rare}", "{rare} or {middle} sort:title"),
    ),
    Kind(
        "filter by a common phrase",
        "list",
        _queries(
            *('"{common} {common2}"', '"{common2} {common} {common}" sort:title', '"{common2} {common}" sort:-due'),
            *('"{common} {common2}" is:open', '"{common} {common2} {common}" sort:-priority'),
        ),
    ),
    Kind(
        "search",
        "search",
        _queries(
            *("{common}", "{rare}", "{middle} {common}", "{common} is:open", "{prefix}*", "p3-33", "{common} tag:t0"),
        ),
    ),
    Kind(
        "search for a common phrase",
        "search",
        _queries('"{common} {common2}"', '"{common2} {common} {common}"', '"{common} {common2}" {common}'),
    ),
    Kind("search, misspelt", "misspelt", _queries("{misspelt}")),
    Kind(
        "facets",
        "facets",
        _queries("", "is:open", "tag:t0", "{common}", "priority:urgent", "is:overdue", "-status:done"),
    ),
    Kind(
        "facets of a common phrase",
        "facets",
        _queries('"{common} {common2}"', '"{common2} {common} {common}"'),
    ),
)
