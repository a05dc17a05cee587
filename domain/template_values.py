"""The values of a template's variables: what may be one, and how it reads in a text."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from domain.dates import check_day
from domain.errors import Invalid, pointed
from domain.template import Value, Variable, VariableKind
from domain.text import check_text

VALUE_MAX: Final = 500  # characters
NUMBER_MAX: Final = 10**15  # what a double holds exactly, and everybody reads alike


def read_as(variable: Variable, value: Value, pointer: str) -> str:
    """A value as it reads in a text. Raises `Invalid` `template.value`, `value.day` for one that is not of the kind."""
    match variable.kind:
        case VariableKind.NUMBER:
            return _number(value, pointer)
        case VariableKind.DATE:
            if not isinstance(value, str):
                raise _refused(pointer, "must be a day, such as 2027-01-31", value)
            return check_day(value, pointer).isoformat()
        case VariableKind.TEXT:
            if not isinstance(value, str):
                raise _refused(pointer, "must be text", value)
            return check_text(value, pointer, most=VALUE_MAX)


def values_of(variables: Sequence[Variable], given: Mapping[str, Value | None]) -> dict[str, str]:
    """What each variable reads as: what is given, or else its default, or nothing.

    Raises `Invalid` `template.variable_unknown`, `template.variable_missing`, `template.value`.
    """
    known = {variable.name: variable for variable in variables}
    for name, value in given.items():
        if name not in known:
            names = ", ".join(known) or "none"
            raise Invalid("template.variable_unknown", pointed("variables", name), f"must be one of: {names}", value)
    return {variable.name: _value_of(variable, given.get(variable.name)) for variable in variables}


def _value_of(variable: Variable, given: Value | None) -> str:
    pointer = pointed("variables", variable.name)
    value = variable.default if given is None else given
    if value is not None:
        return read_as(variable, value, pointer)
    if variable.required:
        raise Invalid("template.variable_missing", pointer, f"must be given: a {variable.kind.value}")
    return ""


def _number(value: Value, pointer: str) -> str:
    if isinstance(value, str | bool) or abs(value) > NUMBER_MAX or not isfinite(value):
        raise _refused(pointer, f"must be a number of at most {NUMBER_MAX}", value)
    return str(int(value)) if value == int(value) else repr(value)


def _refused(pointer: str, detail: str, value: Any) -> Invalid:
    return Invalid("template.value", pointer, detail, value[:200] if isinstance(value, str) else repr(value)[:200])
