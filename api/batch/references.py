"""References between the commands of a batch: `$id`, where an id may stand, is what the command `id` creates.

Only there: a title that begins with `$` is a title. Where ids may stand, the schema of a body says.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.errors import pointed

MARK: Final = "$"

Places = Mapping[str, Any]  # by field True, or the places below it; "*" are all items, or all fields
Resolve = Callable[[str, str], str]  # a reference and its pointer -> the id


def places_of(schema: Mapping[str, Any]) -> Places:
    """Where ids may stand in a body with this schema."""
    found = _places(schema, schema.get("$defs", {}))
    return found if isinstance(found, dict) else {}


def _places(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _places(known[schema["$ref"].rpartition("/")[2]], known)
    if schema.get("format") == "uuid":
        return True
    found: dict[str, Any] = {}
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        below = _places(part, known)
        if below is True:
            return True
        found |= below
    inner = {**schema.get("properties", {}), "*": schema.get("items") or schema.get("additionalProperties")}
    for name, part in inner.items():
        if isinstance(part, dict) and (below := _places(part, known)):
            found[name] = below
    return found


def is_reference(value: object) -> bool:
    """Whether it looks like one."""
    return isinstance(value, str) and value.startswith(MARK)


def resolved(value: Any, places: Any, resolve: Resolve, pointer: str) -> Any:
    """The same value with ids in place of references. Raises what `resolve` raises."""
    if places is True:
        return resolve(value, pointer) if is_reference(value) else value
    if isinstance(value, dict):
        every = places.get("*")
        below = {name: places.get(name, every) for name in (value if every else value.keys() & places.keys())}
        new = {name: resolved(value[name], one, resolve, pointer + pointed(name)) for name, one in below.items() if one}
        return {**value, **new} if new else value
    if isinstance(value, list) and "*" in places:
        return [resolved(item, places["*"], resolve, f"{pointer}/{at}") for at, item in enumerate(value)]
    return value
