"""What bodies take is what the document says of them, whatever the language of the client makes of a number."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.documents import Body
from tests.api.test_openapi import DOCUMENT  # which has every body loaded


def bodies(kind: type[Body] = Body) -> Iterator[type[Body]]:
    """All bodies of the program."""
    for body in kind.__subclasses__():
        if body.__module__.startswith("api."):
            yield body
        yield from bodies(body)


def wholes() -> Iterator[tuple[type[Body], str, Any]]:
    """Every field that takes a whole number, or a list of them, with such a number as a float."""
    for body in bodies():
        for name, schema in body.model_json_schema()["properties"].items():
            choices = schema.get("anyOf", [schema])
            for choice in () if {"type": "number"} in [{"type": each.get("type")} for each in choices] else choices:
                if choice.get("type") == "integer":
                    yield body, name, float(choice.get("minimum", 1))
                elif choice.get("items", {}).get("type") == "integer":
                    yield body, name, (float(choice["items"].get("minimum", 1)),)


@pytest.mark.parametrize(
    ("body", "name", "value"), [pytest.param(*one, id=f"{one[0].__name__}.{one[1]}") for one in wholes()]
)
def test_a_whole_number_may_be_written_with_a_point(body: type[Body], name: str, value: Any) -> None:
    """JSON Schema calls 3.0 an integer, and some languages write it so."""
    assert DOCUMENT["components"]["schemas"]
    taken = getattr(body.__pydantic_validator__.validate_assignment(body.model_construct(), name, value), name)
    assert taken == value
    assert {type(each) for each in (taken if isinstance(taken, tuple) else [taken])} == {int}
