"""A board with more tasks than anybody makes by hand, written into the log at once."""

from psycopg import AsyncConnection

from tests.house import Client, House

_TASKS = """
    INSERT INTO events (workspace_id, position, stream_id, version, schema_version, recorded_at, name,
                        digest, salt, meta, data)
    SELECT l.workspace_id, l.position + n, ('0' || to_hex(1700000000000 + n) || '7' || lpad(to_hex(n), 19, '8'))::uuid,
           1, 1, clock_timestamp(), 'task.created', sha256(salt || convert_to(data, 'UTF8')), salt,
           format('{"actor":"%%s","correlation_id":"x","causation_id":"x"}', %(actor)s::text)::json, data::json
    FROM logs l, generate_series(1, %(tasks)s::integer) n,
         LATERAL (SELECT decode(md5('salt' || n), 'hex') AS salt, json_build_object(
             'title', CASE n %% 3 WHEN 0 THEN '=HYPERLINK("http://example.com/' || n || '")' ELSE 'Task ' || n END,
             'description', 'With all figures, and those of last year beside them. ' || md5(n::text)
                 || repeat(' ', %(blanks)s::integer),
             'status', 'todo', 'category', 'open', 'priority', 'high', 'due_at', '2027-01-31T17:00:00.000000Z',
             'tags', json_build_array('q4', 'ops'), 'estimate_minutes', 90)::text AS data) said
    WHERE l.workspace_id = %(workspace)s
"""


async def crowd(house: House, client: Client, tasks: int, blanks: int = 0) -> int:
    """So many tasks that the client made, with blanks behind their descriptions. Answers the position after them."""
    workspace_id = house.services.identify(client.headers["Authorization"]).workspace_id
    values = {"workspace": workspace_id, "actor": client.id, "tasks": tasks, "blanks": blanks}
    async with await AsyncConnection.connect(house.owner_url) as connection:
        await connection.execute(_TASKS, values)
        await connection.execute(
            "UPDATE logs SET position = position + %(tasks)s::integer, recorded_at = clock_timestamp()"
            " WHERE workspace_id = %(workspace)s",
            values,
        )
        await connection.commit()
        row = await (
            await connection.execute("SELECT position FROM logs WHERE workspace_id = %(workspace)s", values)
        ).fetchone()
    assert row is not None
    return int(row[0])
