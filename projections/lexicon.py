"""The words that texts of a workspace have, for searches that find nothing: those that somebody may have meant.

Who writes rows with words writes the words too, in the same statement. They stand there until the build goes; a word
that no text has any more finds nothing, so it misleads nobody. Each word stands there without each of its characters as
well (Garbe's symmetric deletion): so words that differ by one character, or by two that have changed places, have one
of these in common, whatever their alphabet, and are looked up by a key.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from projections.database import Connection

LEAST: Final = 4  # characters: of what is shorter everything looks like everything else
MOST: Final = 24
FAR: Final = 8  # from so many characters on two may be wrong
MOST_MEANT: Final = 20  # for one word
MOST_SEEN: Final = 200


def writing(projection: str, build: str = "%(build)s", workspace: str = "%(workspace_id)s") -> str:
    """The end of a statement whose part `saved` has tsvectors `search`: it writes the words that are new.

    Each is looked up by its key: as a join, which `NOT EXISTS` would be, all known ones were read for each word as long
    as the planner believed that there were few.
    """
    return f"""
        INSERT INTO lexicon (workspace_id, projection, build, variant, word)
        SELECT {workspace}, '{projection}', {build}, v.variant, w.word
        FROM (SELECT DISTINCT u.word FROM saved, unnest(tsvector_to_array(search)) AS u(word)
              WHERE length(u.word) BETWEEN {LEAST} AND {MOST}) w
        CROSS JOIN LATERAL shortened(w.word) AS v(variant)
        WHERE w.word !~ '[-0-9#@/.:_]' AND (
            SELECT true FROM lexicon l
            WHERE l.workspace_id = {workspace} AND l.projection = '{projection}' AND l.build = {build}
              AND l.variant = w.word AND l.word = w.word
            LIMIT 1) IS NULL
        ON CONFLICT DO NOTHING"""  # noqa: S608 (constants of ours)


async def meant(connection: Connection, workspace_id: str, words: Iterable[str]) -> dict[str, list[str]]:
    """For each of some words the known ones that it may be a misspelling of, nearest first.

    They are the workspace's: whoever shows them shows those alone that stand in what the reader may see. That a word is
    known itself makes no difference, or it would tell of texts that the reader may not see.
    """
    asked = {word: shortened(word) for word in words if LEAST <= len(word) <= MOST}
    if not asked:
        return {}
    cursor = await connection.execute(
        """
        SELECT a.word, l.word
        FROM unnest(%(words)s::text[], %(variants)s::text[]) AS a(word, variant)
        JOIN checkpoints k ON k.workspace_id = %(workspace)s AND k.projection IN ('tasks', 'comments') AND k.live
        CROSS JOIN LATERAL (
            SELECT l.word FROM lexicon l
            WHERE l.workspace_id = k.workspace_id AND l.projection = k.projection AND l.build = k.build
              AND l.variant = a.variant
            LIMIT %(most)s) l
        GROUP BY a.word, l.word
        """,
        {
            "workspace": workspace_id,
            "words": [word for word, variants in asked.items() for _ in variants],
            "variants": [variant for variants in asked.values() for variant in variants],
            "most": MOST_SEEN,
        },
    )
    near: dict[str, list[tuple[int, str]]] = {}
    for word, known in await cursor.fetchall():
        far = distance(word, known)
        if 0 < far <= (1 if len(word) < FAR else 2):
            near.setdefault(word, []).append((far, known))
    return {word: [known for _, known in sorted(found)[:MOST_MEANT]] for word, found in near.items()}


def shortened(word: str) -> set[str]:
    """The word, and without each of its characters; without two where two may be wrong."""
    once = {word[:n] + word[n + 1 :] for n in range(len(word))}
    twice = {less[:n] + less[n + 1 :] for less in once for n in range(len(less))} if len(word) >= FAR else set()
    return {word, *once, *twice}


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """How many characters are put in, taken out, replaced or swapped with the next (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, char in enumerate(one, 1):
        earlier, before, row = before, row, [n]
        for m, wanted in enumerate(other, 1):
            cost = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (char != wanted))
            if n > 1 and m > 1 and char == other[m - 2] and one[n - 2] == wanted:
                cost = min(cost, earlier[m - 2] + 1)
            row.append(cost)
    return row[-1]
