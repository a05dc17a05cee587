"""What is found, as clients get it: tasks with highlights, and counts."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.documents import TaskDocument


class HighlightDocument(BaseModel):
    """A piece of a text, and the words in it that were looked for. `text` is as people wrote it: escape it."""

    field: Literal["key", "title", "tag", "description", "comment"]
    text: str
    marks: list[tuple[int, int]] = Field(
        description="Where words begin and end in `text`, in characters (code points)."
    )
    comment_id: UUID | None = Field(default=None, description="The comment, where it is one.")


class FoundTask(TaskDocument):
    """A task, and where the words stand in it."""

    highlights: list[HighlightDocument]


class SearchPage(BaseModel):
    """A page of what was found; `next_cursor` is null on the last one."""

    items: list[FoundTask]
    next_cursor: str | None
    cut: bool = Field(
        description="There is more than was looked at: 5,000 tasks that match, or have the words of a phrase in any "
        "order, and 3,000 comments."
    )
    fuzzy: bool = Field(description="Nothing matches as it is spelt; this is what nearly does.")
    corrected: dict[str, list[str]] = Field(
        description="The words that stand in what was found instead, by those asked for."
    )


class FacetCount(BaseModel):
    """How many tasks have a value; null: those that have none."""

    value: str | None
    tasks: int


class FacetsDocument(BaseModel):
    """Counts by facet, the most frequent value first, and of how many tasks."""

    facets: dict[str, list[FacetCount]]
    total: int
    cut: bool = Field(
        description="There is more than was looked at: 5,000 tasks that match, or have the words of a phrase in any "
        "order, and 3,000 comments."
    )
