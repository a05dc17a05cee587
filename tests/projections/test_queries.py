"""What words mean to PostgreSQL, and what is left of them without their order."""

import pytest

from projections.wording import without_order
from tests.commands.desk import Connection


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("'sea' <-> 'cow'", "'sea' & 'cow'"),
        ("'a' <3> 'b':* | 'c'", "'a' & 'b':* | 'c'"),
        ("'<->' & 'it''s <2>' <-> 'x'", "'<->' & 'it''s <2>' & 'x'"),
        ("'sea' & 'cow'", "'sea' & 'cow'"),
    ],
)
async def test_words_without_their_order_are_those_that_have_to_be_there(
    owner: Connection, words: str, left: str
) -> None:
    assert without_order(words) == left
    cursor = await owner.execute("SELECT %s::tsquery::text", (left,))
    assert await cursor.fetchone() == (left,)
