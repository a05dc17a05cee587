"""The words of a workspace: written with the rows, found by what is nearly one, gone with the build."""

import re

from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from commands.comment import PostComment
from commands.ids import new_id
from projections import builds, lexicon, rebuilding
from projections.database import Pool
from projections.lexicon import distance, shortened
from projections.registry import TABLES
from tests.commands.desk import Connection, Desk, Team
from tests.projections.reading import catch_up, worker

WORDS = st.text(st.sampled_from("abcdef é𠀀"), min_size=4, max_size=12)


async def _known(owner: Connection, team: Team) -> set[tuple[str, int, str]]:
    cursor = await owner.execute(
        "SELECT projection, build, word FROM lexicon WHERE workspace_id = %s AND variant = word", (team.workspace_id,)
    )
    return {(str(row[0]), int(row[1]), str(row[2])) for row in await cursor.fetchall()}


async def test_words_of_tasks_and_comments_are_known_once_each_and_gone_with_their_build(
    desk: Desk, owner: Connection, team: Team, pool: Pool, redis: Redis
) -> None:
    task = await desk.task(team, title="the walrus, the sea-cow", tags=("wombats",), description="q4 wall walrus a.b")
    await desk.do(team, team.admin, PostComment(task, new_id(), "Seals? A walrus!"))
    projector = worker(pool, redis)
    await catch_up(projector, team.workspace_id)
    tasks = {("tasks", 1, word) for word in ("walrus", "wall", "wombats")}
    said = {("comments", 1, word) for word in ("walrus", "seals")}
    assert await _known(owner, team) == tasks | said
    assert await lexicon.meant(owner, team.workspace_id, ["walrsu", "wal", "seal", "zebra"]) == {
        "walrsu": ["walrus"],
        "seal": ["seals"],
    }
    assert await lexicon.meant(owner, new_id(), ["walrsu"]) == {}

    assert await builds.begin(owner, team.workspace_id, "tasks", None) == 2
    while await projector.run_once(team.workspace_id, "tasks", 2):
        pass
    assert await _known(owner, team) == tasks | said | {(name, 2, word) for name, _, word in tasks}
    await builds.give_up(owner, team.workspace_id, "tasks", 2)
    await rebuilding.drop(owner, TABLES["tasks"], team.workspace_id, 2)
    assert await _known(owner, team) == tasks | said
    await projector.stop()


async def test_each_word_is_looked_up_by_its_key_where_the_planner_knows_nothing_of_the_lexicon(
    owner: Connection,
) -> None:
    saved = "saved AS MATERIALIZED (SELECT to_tsvector('simple', 'a walrus said') AS search)"
    text = f"EXPLAIN WITH {saved} {lexicon.writing('tasks', '1', 'gen_random_uuid()')}"
    plan = "\n".join(row[0] for row in await (await owner.execute(text.encode())).fetchall())
    assert re.search(r"lexicon l .*\n *Index Cond: .*variant = .* AND \(word = ", plan), plan


@given(WORDS, st.data())
def test_one_wrong_character_leaves_something_in_common(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    other = data.draw(
        st.sampled_from(
            [
                word[:at] + word[at + 1 :],
                word[:at] + "x" + word[at:],
                word[:at] + "x" + word[at + 1 :],
                word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
            ]
        )
    )
    assert distance(word, other) <= 1
    assert shortened(word) & shortened(other)


@given(WORDS, WORDS)
def test_a_distance_is_the_same_from_both_sides(one: str, other: str) -> None:
    far = distance(one, other)
    assert far == distance(other, one)
    assert (far == 0) == (one == other)
    assert abs(len(one) - len(other)) <= far <= max(len(one), len(other))
