"""What the route of a command is called with: read from `target` and `data` by the rules of the route itself."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from api.batch.bodies import CommandBody
from api.batch.references import Resolve, is_reference, resolved
from api.batch.types import Parse, Type
from api.commanding import versions
from domain.errors import Invalid, pointed


def arguments_of(kind: Type, body: CommandBody, at: str, resolve: Resolve) -> dict[str, Any]:
    """`at` is the pointer of the command. Raises `Invalid`, `ValidationError`, and what `resolve` raises."""
    arguments = _targeted(kind, body.target, f"{at}/target", resolve)
    data = resolved(body.data, kind.places, resolve, f"{at}/data")
    if kind.parameters:
        more, data = _split(kind, data, f"{at}/data")
        arguments |= more
    if kind.validate is not None and (data or not kind.optional):
        arguments["body"] = kind.validate(to_json(data))
    elif data:
        raise Invalid("request.invalid", f"{at}/data{pointed(next(iter(data)))}", "Extra inputs are not permitted")
    return arguments


def matching(if_match: int | str | None) -> frozenset[int] | None:
    """The versions of which the stream must have one; None where any will do."""
    if if_match is None or if_match == "*":
        return None
    return versions(",".join(f'"{part.strip(chr(34) + " ")}"' for part in str(if_match).split(",")))


def _targeted(kind: Type, value: str | None, at: str, resolve: Resolve) -> dict[str, Any]:
    if kind.target is None:
        if value is not None:
            raise Invalid("request.invalid", at, "must be absent: this command is about no thing that is there", value)
        return {}
    name, parse = kind.target
    if value is None:
        raise Invalid("request.invalid", at, f"Field required: the {name} of the command's own route")
    if is_reference(value) and name.endswith("_id"):
        value = resolve(value, at)
    return {name: _parsed(parse, value, at)}


def _split(kind: Type, data: Mapping[str, Any], at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The further parameters of the route, and what is left for its body."""
    rest, found = dict(data), {}
    for name, parse in kind.parameters.items():
        if name in rest:
            found[name] = _parsed(parse, rest.pop(name), f"{at}/{name}")
        elif name not in kind.flags:
            raise Invalid("request.invalid", f"{at}/{name}", "Field required")
    return found, rest


def _parsed(parse: Parse, value: Any, at: str) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        shown = value[:200] if isinstance(value, str) else value if isinstance(value, int | float) else None
        raise Invalid("request.invalid", at, str(error), shown) from error
