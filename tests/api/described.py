"""What the program's own OpenAPI document says can be sent, so that a suite covers what is added later by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from api.defence.front import BASE
from projections.registry import PROJECTIONS
from tests.api.cast import Cast
from tests.api.matrix import CASES
from tests.house import PASSWORD, House

Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """An operation of the document. `body` is the schema of its JSON, None where it takes none, or anything."""

    id: str
    method: str
    path: str
    parameters: tuple[Schema, ...]
    body: Schema | None
    answer: Schema


class Described:
    """The document of a running program."""

    def __init__(self, document: Schema) -> None:
        self._schemas: Schema = document["components"]["schemas"]
        self.operations = {
            operation["operationId"]: self._operation(method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    @classmethod
    async def of(cls, house: House) -> "Described":
        """As the program answers it."""
        return cls((await house.http.get(f"{house.base}/openapi.json")).json())

    def properties(self, schema: Schema) -> Schema:
        """The fields of an object, none for anything else."""
        properties: Schema = self.resolved(schema).get("properties", {})
        return properties

    def forms(self, schema: Schema) -> Iterator[Schema]:
        """Every form that a value may have, none of them a reference or a choice."""
        found = self.resolved(schema)
        for choice in found.get("anyOf", [found]):
            yield self.resolved(choice)

    def resolved(self, schema: Schema) -> Schema:
        """What a reference refers to, or the schema itself."""
        name = schema.get("$ref", "").rpartition("/")[2]
        resolved: Schema = self._schemas[name] if name else schema
        return resolved

    def _operation(self, method: str, path: str, operation: Schema) -> Operation:
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        return Operation(
            operation["operationId"],
            method.upper(),
            path.removeprefix(BASE),
            tuple(operation.get("parameters", ())),
            _json(operation["requestBody"]) or None if "requestBody" in operation else None,
            _json(answers[0]),
        )


def _json(message: Schema) -> Schema:
    schema: Schema = message.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


# Right bodies of the operations that ask nobody who they are: the matrix has all the others.
OPEN: Final[dict[str, dict[str, Any]]] = {
    "register": {"email": "new@example.com", "password": PASSWORD, "display_name": "New"},
    "logIn": {"email": "new@example.com", "password": PASSWORD},
    "refresh": {"refresh_token": "none of ours"},
    "logOut": {"refresh_token": "none of ours"},
    "forgetPassword": {"email": "new@example.com"},
    "resetPassword": {"token": "none of ours", "new_password": "another horse battery"},
    "confirmEmail": {"token": "none of ours"},
}


async def fresh(people: Cast, operation: Operation) -> Cast:
    """The same, with another admin for what changes how one logs in: those that follow go on with the first."""
    if not operation.path.startswith("/auth/"):
        return people
    admin = await people.house.user(role="admin", by=people["admin"])
    return Cast(people.house, {**people.clients, "admin": admin}, people.team, people.project)


async def right(people: Cast, operation: Operation, persona: str = "admin") -> tuple[str, str, dict[str, Any]]:
    """A request that has the right form: method, path and body. Raises `KeyError` for an operation without one."""
    if operation.id in OPEN:
        return operation.method, operation.path, OPEN[operation.id]
    method, path, body = await CASES[operation.id].make(people, persona)
    return method, path, body or {}


async def kept(house: House, tables: str = "") -> dict[str, str]:
    """A digest of every table that is no projection, by its name: equal ones hold the same rows."""
    digests = {}
    async with house.pool.connection() as connection:
        cursor = await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in await cursor.fetchall():
            if table in PROJECTED:
                continue
            statement = f'SELECT md5(coalesce(string_agg(t::text, $$,$$ ORDER BY t::text), $$$$)) FROM "{table}" t'
            row = await (await connection.execute(statement.encode())).fetchone()
            digests[table] = row[0] if row else ""
    return digests


PROJECTED: Final = ("checkpoints", "lexicon", *PROJECTIONS)  # these follow the log in their own time
