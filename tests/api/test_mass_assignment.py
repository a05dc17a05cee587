"""Mass assignment (OWASP API3:2023): no body sets a field that it has no right to, whichever operation takes it.

Operations and fields are those of the OpenAPI document: what is added later is tried too.
"""

from collections.abc import Iterator
from typing import Any, Final

from tests.api.cast import Cast, cast
from tests.api.described import OPEN, Described, Operation, fresh, kept, right
from tests.api.matrix import CASES
from tests.house import House, refused

# What no body sets anywhere: names of columns, of frameworks and of wishes. Each by itself, and these with all others.
NEVER: Final = ("is_admin", "password_hash", "principal", "workspace_id", "email_verified", "__proto__", "")
MORE: Final = (
    "active", "actor", "actor_id", "build", "command_id", "recorded_at", "revoked_at", "scopes", "session_id",
    "user_id", "constructor", "__class__", "_id", "$set", "title ", "Title", "TITLE",
)  # fmt: skip


def _answered(described: Described) -> set[str]:
    """The fields of everything that any operation answers."""
    return {name for operation in described.operations.values() for name in _names(described, operation.answer)}


def _names(described: Described, schema: dict[str, Any]) -> Iterator[str]:
    for form in described.forms(schema):
        for name, value in described.properties(form).items():
            yield name
            yield from _names(described, value)
        if "items" in form:
            yield from _names(described, form["items"])


def _closed(described: Described, schema: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a body holds objects whose fields are declared: the body itself, and others within it."""
    for form in described.forms(schema):
        if form.get("additionalProperties") is False or at == ():
            yield at
        for name, value in described.properties(form).items():
            yield from _closed(described, value, (*at, name))


def _within(body: dict[str, Any], at: tuple[str, ...], fields: dict[str, Any]) -> dict[str, Any]:
    if not at:
        return {**body, **fields}
    inner = body.get(at[0])
    return {**body, at[0]: _within(inner if isinstance(inner, dict) else {}, at[1:], fields)}


def _pointer(at: tuple[str, ...], name: str) -> str:
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in (*at, name))


async def _send(people: Cast, request: tuple[str, str, dict[str, Any]], body: dict[str, Any]) -> Any:
    method, path, _ = request
    return await people["admin"].call(method, path, body)


def _foreign(described: Described, operation: Operation, at: tuple[str, ...], names: set[str]) -> list[str]:
    """Those of the names that the object in the body does not declare."""
    schema = operation.body or {}
    for part in at:
        schema = next(form for form in described.forms(described.properties(schema)[part]) if "properties" in form)
    return sorted(names - described.properties(schema).keys())


async def test_every_operation_with_a_body_has_a_right_one_here(house: House) -> None:
    described = await Described.of(house)
    with_body = {operation.id for operation in described.operations.values() if operation.body is not None}
    assert with_body <= CASES.keys() | OPEN.keys()
    assert set(OPEN) <= with_body


async def test_no_body_of_any_operation_sets_a_field_that_is_not_its_own(house: House) -> None:
    described, everybody = await Described.of(house), await cast(house)
    answered = _answered(described)
    assert {"id", "version", "position", "status", "category", "role", "created_by", "completed_at"} < answered
    for operation in described.operations.values():
        if operation.body is None:
            continue
        people = await fresh(everybody, operation)
        request = await right(people, operation)
        before = await kept(house)
        for at in _closed(described, operation.body):
            own = set(_names(described, operation.answer)) | set(NEVER)
            together: dict[str, Any] = dict.fromkeys(_foreign(described, operation, at, answered | own | set(MORE)))
            for fields in (together, *({name: True} for name in _foreign(described, operation, at, own))):
                response = await _send(people, request, _within(request[2], at, fields))
                problem = refused(response, 422, "request.invalid")
                pointers = {error["pointer"] for error in problem["errors"]}
                expected = {_pointer(at, name) for name in fields}
                assert pointers == expected or (at and pointers >= expected), (operation.id, fields)
        assert await kept(house) == before, operation.id
        final = await _send(people, request, request[2])
        assert final.status_code != 422, (operation.id, final.text)  # only what was injected was wrong
