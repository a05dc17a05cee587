"""References inside a document of JSON (RFC 6901), as OpenAPI and AsyncAPI use them."""

from collections.abc import Iterator
from typing import Any


def references(value: Any) -> Iterator[str]:
    """Every reference in a part of a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def resolved(document: dict[str, Any], value: Any) -> Any:
    """What a reference of the document refers to. Raises `KeyError`."""
    while isinstance(value, dict) and "$ref" in value:
        place: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]
        value = place
    return value
