"""A task of a template with values in the places of its texts, and its days counted from an anchor."""

from collections.abc import Mapping
from datetime import date, time
from typing import Final, NamedTuple

from domain.checklist import TEXT_MAX
from domain.dates import check_day
from domain.errors import Invalid, pointed
from domain.placeholders import TooLong, filled
from domain.template import TemplateTask, Timing
from domain.template_dates import at, local
from domain.text import DESCRIPTION_MAX, TAG_MAX, TITLE_MAX
from domain.zones import to_instant

TEXT_SUM_MAX: Final = 2_000_000  # characters of all tasks that are made at once


class Texts(NamedTuple):
    """The texts of a task, as they will be."""

    title: str
    description: str
    tags: tuple[str, ...]
    checklist: tuple[str, ...]


class Filling:
    """Fills the texts of the tasks of one template. Raises `Invalid` `template.too_long` where values are too long."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._room = TEXT_SUM_MAX

    def texts(self, task: TemplateTask) -> Texts:
        """The texts of a task. A tag of which nothing is left is none."""
        tags = [self._fill(task, "a tag", tag, TAG_MAX) for tag in task.tags]
        return Texts(
            self._fill(task, "the title", task.title, TITLE_MAX),
            self._fill(task, "the description", task.description, DESCRIPTION_MAX),
            tuple(tag for tag in tags if tag),
            tuple(self._fill(task, "an item of the checklist", item, TEXT_MAX) for item in task.checklist),
        )

    def _fill(self, task: TemplateTask, what: str, text: str, most: int) -> str:
        try:
            found = filled(text, self._values, most)
        except TooLong as error:
            detail = f"with these values {what} of {task.ref!r} would have more than {most} characters"
            raise Invalid("template.too_long", "/variables", detail) from error
        self._room -= len(found)
        if self._room < 0:
            detail = f"with these values all texts together would have more than {TEXT_SUM_MAX} characters"
            raise Invalid("template.too_long", "/variables", detail)
        return found


def dates(task: TemplateTask, values: Mapping[str, str], start: date, zone: str) -> dict[str, str]:
    """The dates of a task in a zone, as a creation takes them. Raises `Invalid` `template.date`.

    A day without a time is all of that day where the task is due then, and its beginning where the task starts then.
    """
    found = {}
    if (begins := _moment(task.ref, task.start, values, start)) is not None:
        found["start_at"] = to_instant(local(*begins), zone)
    if (due := _moment(task.ref, task.due, values, start)) is not None:
        found["due_zone"] = zone
        if due[1] is None:
            found["due_on"] = due[0].isoformat()
        else:
            found["due_at"] = to_instant(local(*due), zone)
    return found


def _moment(ref: str, timing: Timing | None, values: Mapping[str, str], start: date) -> tuple[date, time | None] | None:
    if timing is None:
        return None
    anchor, pointer = start, "/start"
    if timing.anchor is not None:
        pointer = pointed("variables", timing.anchor)
        if not values[timing.anchor]:
            return None  # nobody has said when
        anchor = check_day(values[timing.anchor], pointer)
    try:
        return at(timing, anchor)
    except OverflowError as error:
        detail = f"{ref!r} would have a date that is out of the calendar, {timing.offset} from {anchor}"
        raise Invalid("template.date", pointer, detail, anchor.isoformat()) from error
