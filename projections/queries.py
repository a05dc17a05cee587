"""What a query means for the read table: conditions on its rows `t`, and the values that they are asked with.

`compile` is for everybody who narrows tasks by a query: lists, searches, facets, saved views, and what works on many
tasks. Each kind of filter has one function below; words become one `tsquery`, which PostgreSQL makes of them once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.errors import Invalid
from domain.instant import instant
from domain.query import Filter, Query
from domain.query_dates import day_of, span
from domain.query_fields import NONE, Kind, is_id, minutes
from domain.task_fields import Priority
from domain.workflow import Category
from projections.database import Connection
from projections.wording import Wanted, tagged, wanted, without_order

MOST_SAID: Final = 3_000  # comments of a word that are looked at
OPEN: Final = "t.category = ANY (ARRAY['open', 'active'])"
_RANKS: Final = {priority.value: rank for rank, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and when: what `me` and `7d` mean. `spellings` answers all that tasks have where they have a tag.

    `past`: the tasks are those of an earlier time, of which only the rows themselves are known. `zone` is the time zone
    of the reader's days.
    """

    user_id: str
    now: datetime
    spellings: Callable[[str], Sequence[str]] = lambda name: [name]
    past: bool = False
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, ready to be asked: all `conditions` hold, with these `parameters`. `sort` is the query's own, if any.

    Its words stand in the task's own text or in a comment, so one of the conditions `own` and `said` holds besides;
    empty ones are none. `words` is their `tsquery`, if there are any, and `found` that of those which are not left out.
    `loose`: where words must stand in an order, which no index knows, the condition that they are there, for `own`.
    `comments` are those that `said` looks at; see `looked`. `projections` are those that it reads besides `tasks`.
    """

    conditions: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sort: tuple[str, ...] = ()
    words: str | None = None
    found: str = ""
    own: str = ""
    loose: str = ""
    said: str = ""
    comments: str = ""
    projections: frozenset[str] = frozenset()

    def looked(self) -> "tuple[str, Asked]":
        """The comments as the first part of a WITH, `said`, if any, and the query that looks there."""
        there = replace(self, said=self.said.replace(f"({self.comments}) s", "said s"))
        return (f"said AS MATERIALIZED ({self.comments}), ", there) if self.said else ("", self)

    @property
    def worded(self) -> tuple[str, ...]:
        """The condition that its words are, if there are any."""
        either = [f"({condition})" for condition in (self.own, self.said) if condition]
        return (f"({' OR '.join(either)})",) if either else ()


NOTHING: Final = Asked()


class _Place(NamedTuple):
    """Where the values of a filter go: `name` is its parameter, and those of its own begin with it."""

    name: str
    values: dict[str, Any]
    reader: Reader

    def put(self, value: Any, suffix: str = "") -> str:
        """The placeholder of a value."""
        self.values[f"{self.name}{suffix}"] = value
        return f"%({self.name}{suffix})s"


async def compile(connection: Connection, query: Query, reader: Reader) -> Asked:  # noqa: A001 (that is what it does)
    """The filters that a query is, for this reader. Raises `Invalid` `query.not_in_past`."""
    asked = filters(query, reader)
    if not query.words:
        return asked
    words = await wanted(connection, query.words)
    if words.out is None and all(term.negated for term in query.words):
        return asked  # what has neither letters nor digits stands nowhere, so it leaves nothing out
    return with_words(asked, words, past=reader.past)


def filters(query: Query, reader: Reader) -> Asked:
    """All of a query but its words. Raises `Invalid` `query.not_in_past` for what the past does not tell."""
    conditions: list[str] = []
    values: dict[str, Any] = {}
    projections: set[str] = set()
    for n, term in enumerate(query.filters):
        if reader.past:
            _check_past(term)
        condition = _CONDITIONS[term.field.kind](term, _Place(f"f{n}", values, reader))
        conditions.append(f"({condition}) IS NOT TRUE" if term.negated else f"({condition})")
        conditions += _others(term, values, f"f{n}o")
        projections |= _reads(term)
    return Asked(tuple(conditions), values, query.sort, projections=frozenset(projections))


def _others(term: Filter, values: dict[str, Any], name: str) -> list[str]:
    """Leaving categories out is asking for the others: said so, it is looked up by an index."""
    left_out = {value.text for value in term.values} & set(Category)
    if not term.negated or not left_out or term.field.name not in ("status", "category", "is"):
        return []
    values[name] = [category.value for category in Category if category not in left_out]
    return [f"t.category = ANY (%({name})s)"]


def with_words(asked: Asked, words: Wanted, *, past: bool = False) -> Asked:
    """A query that also asks for words: those of a task, or, in the present, of one of its comments.

    What is said is looked up once, by its index, and never task by task; what is to be left out, of the tasks found.
    """
    parameters = {**asked.parameters, "words": words.all}
    asked = replace(asked, words=words.all, found=words.found, own="t.search @@ %(words)s::tsquery")
    if past:
        return replace(asked, parameters=parameters)
    if words.out is not None:
        parameters["out"] = words.out
        asked = replace(asked, conditions=(*asked.conditions, _UNSAID))
    asked = replace(asked, parameters=parameters, projections=asked.projections | {"comments"})
    if not words.found:
        return asked
    loose, said = "", _SAID
    if (unordered := without_order(words.found)) != words.found:
        parameters["loose"] = unordered
        loose, said = "t.search @@ %(loose)s::tsquery", _IN_ORDER
    condition = f"t.task_id = ANY (ARRAY(SELECT s.task_id FROM ({said}) s WHERE s.matches))"  # noqa: S608 (constants)
    if words.out is not None:
        condition += " AND NOT t.search @@ %(out)s::tsquery"
    return replace(asked, loose=loose, said=condition, comments=said)


_COMMENTS: Final = """
    FROM checkpoints k JOIN comments m ON m.workspace_id = k.workspace_id AND m.build = k.build
    WHERE k.workspace_id = %(workspace)s AND k.projection = 'comments' AND k.live"""
_LOOKED: Final = f"""
    SELECT m.task_id, {{matches}} AS matches {_COMMENTS} AND m.search @@ %({{words}})s::tsquery LIMIT {MOST_SAID + 1}"""
_SAID: Final = _LOOKED.format(matches="true", words="words")
_IN_ORDER: Final = _LOOKED.format(matches="m.search @@ %(words)s::tsquery", words="loose")
_UNSAID: Final = f"NOT EXISTS (SELECT {_COMMENTS} AND m.task_id = t.task_id AND m.search @@ %(out)s::tsquery)"


# ----------------------------------------------------------------------------------------------------------- filters


def _check_past(term: Filter) -> None:
    if term.field.kind is Kind.PART and any(value.text in _OF_PRESENT for value in term.values):
        value = next(value for value in term.values if value.text in _OF_PRESENT)
        detail = (
            f"at column {value.column}: what a task has of {value.text!r} is known of the present only; leave out as_of"
        )
        error = Invalid("query.not_in_past", "/query/q", detail, f"has:{value.text}")
        error.extra = {**error.extra, "column": value.column, "length": value.length}
        raise error


def _reads(term: Filter) -> frozenset[str]:
    if term.field.kind is Kind.PROJECT and any(not is_id(value.text) and value.text != NONE for value in term.values):
        return frozenset({"projects"})
    parts = {value.text for value in term.values} if term.field.kind is Kind.PART else set()
    return frozenset(_OF_PRESENT[part] for part in parts & _OF_PRESENT.keys())


def _texts(term: Filter) -> list[str]:
    return [value.text for value in term.values]


def _name(term: Filter, place: _Place) -> str:
    if term.field.name == "tag":
        spelt = [each for name in _texts(term) for each in place.reader.spellings(name)]
        if place.reader.past:
            return f"t.tags && {place.put(spelt)}::text[]"
        return f"t.search @@ {place.put(tagged(spelt))}::tsquery"
    names = _texts(term)
    categories = [name for name in names if name in set(Category)]
    condition = f"t.status = ANY ({place.put(names)})"
    return f"{condition} OR t.category = ANY ({place.put(categories, 'c')})" if categories else condition


def _category(term: Filter, place: _Place) -> str:
    return f"t.category = ANY ({place.put(_texts(term))})"


def _priority(term: Filter, place: _Place) -> str:
    ranks = [_RANKS[name] for name in _texts(term)]
    if term.operator == ":":
        return f"t.priority = ANY ({place.put(ranks)}::smallint[])"
    return f"t.priority {term.operator} {place.put(ranks[0])}"


def _ids(column: str, term: Filter, place: _Place, more: str = "") -> str:
    """The column is one of the ids, or of those `more`, or null where `none` is asked for."""
    texts = [place.reader.user_id if text == "me" else text for text in _texts(term)]
    ids = [text for text in texts if is_id(text)]
    conditions = []
    if more:
        keys = [text.upper() for text in texts if not is_id(text) and text != NONE]
        if keys:
            conditions.append(f"{column} = ANY (ARRAY({more.format(keys=place.put(keys, 'k'))}))")
    if ids:
        conditions.append(f"{column} = ANY ({place.put(ids)}::uuid[])")
    if NONE in texts:
        conditions.append(f"{column} IS NULL")
    return " OR ".join(conditions)


def _person(term: Filter, place: _Place) -> str:
    return _ids("t.assignee_id", term, place)


def _member(term: Filter, place: _Place) -> str:
    return _ids("t.created_by", term, place)


_PROJECTS: Final = """
    SELECT p.project_id FROM checkpoints k JOIN projects p ON p.workspace_id = k.workspace_id AND p.build = k.build
    WHERE k.workspace_id = %(workspace)s AND k.projection = 'projects' AND k.live AND p.key = ANY ({keys})"""
_TASKS: Final = """
    SELECT s.task_id FROM checkpoints k JOIN tasks s ON s.workspace_id = k.workspace_id AND s.build = k.build
    WHERE k.workspace_id = %(workspace)s AND k.projection = 'tasks' AND k.live AND s.key = ANY ({keys})"""


def _project(term: Filter, place: _Place) -> str:
    return _ids("t.project_id", term, place, _PROJECTS)


def _task(term: Filter, place: _Place) -> str:
    return _ids("t.parent_id", term, place, _TASKS)


def _series(term: Filter, place: _Place) -> str:
    return _ids("t.series_id", term, place)


def _key(term: Filter, place: _Place) -> str:
    return f"t.key = ANY ({place.put([text.upper() for text in _texts(term)])})"


# A task without a due date is due after all others in one index, and before all in the other.
_COLUMNS: Final = {
    "due": ("coalesce(t.due_at, 'infinity')", "coalesce(t.due_at, '-infinity')", "t.due_at"),
    **{name: (f"t.{name}_at",) * 3 for name in ("created", "updated", "completed")},
}


def _when(term: Filter, place: _Place) -> str:
    before, after, column = _COLUMNS[term.field.name]
    conditions = []
    for n, value in enumerate(_texts(term)):
        if value == NONE:
            conditions.append(f"{column} IS NULL")
            continue
        begin, end = span(value, place.reader.now, place.reader.zone)
        match term.operator:
            case "<":
                condition = f"{before} < {place.put(instant(begin))}"
            case "<=":
                condition = f"{before} {'<=' if begin == end else '<'} {place.put(instant(end))}"
            case ">":
                condition = f"{after} {'>' if begin == end else '>='} {place.put(instant(end))}"
            case ">=":
                condition = f"{after} >= {place.put(instant(begin))}"
            case _:
                begin, end = day_of(begin, place.reader.zone)
                first, last = place.put(instant(begin), f"_{n}"), place.put(instant(end), f"_{n}e")
                condition = f"({before} >= {first} AND {before} < {last})"
        conditions.append(condition)
    return " OR ".join(conditions)


def _minutes(term: Filter, place: _Place) -> str:
    numbers = [minutes(value) for value in _texts(term) if value != NONE]
    if term.operator != ":":
        return f"t.estimate_minutes {term.operator} {place.put(numbers[0])}"
    conditions = [f"t.estimate_minutes = ANY ({place.put(numbers)}::integer[])"] if numbers else []
    return " OR ".join([*conditions, *(["t.estimate_minutes IS NULL"] if NONE in _texts(term) else [])])


# What a task is; `{now}` is the moment of asking.
_STATES: Final = {
    **{category.value: f"t.category = '{category.value}'" for category in Category},
    "closed": "t.category = ANY (ARRAY['done', 'cancelled'])",
    "overdue": f"coalesce(t.due_at, 'infinity') < {{now}} AND {OPEN}",
    "assigned": "t.assignee_id IS NOT NULL",
    "unassigned": "t.assignee_id IS NULL",
    "blocked": f'{OPEN} AND t.links @> \'[{{{{"type": "blocked_by", "closed": false}}}}]\'',
}


def _state(term: Filter, place: _Place) -> str:
    now = place.put(instant(place.reader.now))
    return " OR ".join(f"({_STATES[value].format(now=now)})" for value in _texts(term))


# What a task has.
_PARTS: Final = {
    "comment": f"EXISTS (SELECT {_COMMENTS} AND m.task_id = t.task_id AND m.deleted_at IS NULL)",
    "attachment": """EXISTS (
        SELECT FROM checkpoints k JOIN attachments a ON a.workspace_id = k.workspace_id AND a.build = k.build
        WHERE k.workspace_id = %(workspace)s AND k.projection = 'attachments' AND k.live
          AND a.task_id = t.task_id AND a.items <> '[]')""",
    "due": "t.due_at IS NOT NULL",
    "description": "t.description <> ''",
    "estimate": "t.estimate_minutes IS NOT NULL",
    "assignee": "t.assignee_id IS NOT NULL",
    "project": "t.project_id IS NOT NULL",
    "parent": "t.parent_id IS NOT NULL",
    "subtasks": "t.subtasks <> '[]'",
    "dependencies": "t.links <> '[]'",
    "tags": "t.tags <> '{}'",
}
# Of these the row says nothing: where they are, instead.
_OF_PRESENT: Final = {"comment": "comments", "attachment": "attachments"}


def _part(term: Filter, _place: _Place) -> str:
    return " OR ".join(f"({_PARTS[value]})" for value in _texts(term))


_CONDITIONS: Final[Mapping[Kind, Callable[[Filter, _Place], str]]] = {
    Kind.NAME: _name,
    Kind.CATEGORY: _category,
    Kind.PRIORITY: _priority,
    Kind.PERSON: _person,
    Kind.MEMBER: _member,
    Kind.PROJECT: _project,
    Kind.TASK: _task,
    Kind.KEY: _key,
    Kind.SERIES: _series,
    Kind.WHEN: _when,
    Kind.MINUTES: _minutes,
    Kind.STATE: _state,
    Kind.PART: _part,
}
