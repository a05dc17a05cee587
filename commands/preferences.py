"""How somebody likes things: time zone, language, and preferences, which are any JSON that can be stored.

Of the preferences, the program knows `notifications` and `default_view`; clients keep what else they like.
"""

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final

import orjson

from domain.errors import Invalid
from domain.text import check_line
from domain.zones import check_zone

PREFERENCES_MAX: Final = 10_000
NOTIFICATION_KINDS_MAX: Final = 100
VIEW_MAX: Final = 100
LOCALE_MAX: Final = 50

_KIND: Final = re.compile(r"[a-z][a-z_.]{0,49}")
# A well-formed language tag (RFC 5646 §2.1; longer languages are reserved): language, script, region, variants,
# extensions, private use.
_TAG: Final = re.compile(
    r"""
    [a-z]{2,3} (?: -[a-z]{3} ){0,3}
    (?: -[a-z]{4} )?
    (?: -(?: [a-z]{2} | [0-9]{3} ) )?
    (?: -(?: [a-z0-9]{5,8} | [0-9][a-z0-9]{3} ) )*
    (?: -[0-9a-wy-z] (?: -[a-z0-9]{2,8} )+ )*
    (?: -x (?: -[a-z0-9]{1,8} )+ )?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)


def check_time_zone(name: str) -> str:
    """A time zone by its IANA name: `Europe/Berlin`."""
    return check_zone(name, "/time_zone", "profile.time_zone")


def check_locale(tag: str) -> str:
    """A language tag (BCP 47), in the case that is usual for its parts (RFC 5646 §2.1.1): `de-CH`, `zh-Hant-TW`."""
    if len(tag) > LOCALE_MAX or _TAG.fullmatch(tag) is None:
        detail = f"must be a language tag of BCP 47 of at most {LOCALE_MAX} characters, such as de-CH"
        raise Invalid("profile.locale", "/locale", detail, tag[:200])
    first, *parts = tag.lower().split("-")
    cased, inside = [first], False
    for part in parts:
        inside = inside or len(part) == 1  # in an extension everything is in lower case
        cased.append(part if inside else _CASES.get(len(part), str.lower)(part))
    return "-".join(cased)


_CASES: Final = {2: str.upper, 4: str.title}


def check_preferences(preferences: Mapping[str, Any]) -> Mapping[str, Any]:
    """Preferences as they are. Raises `Invalid` for what cannot be kept, or would not be understood."""
    try:
        size = len(orjson.dumps(preferences))
    except TypeError as error:  # a number that 64 bits do not hold
        raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {error}") from error
    if size > PREFERENCES_MAX:
        detail = f"must be at most {PREFERENCES_MAX} bytes of JSON, got {size}"
        raise Invalid("value.length", "/preferences", detail)
    for value in _values(preferences):
        if isinstance(value, str) and "\x00" in value:  # PostgreSQL has no such text
            raise Invalid("value.character", "/preferences", "must not contain U+0000")
        if isinstance(value, float) and not isfinite(value):
            raise Invalid("preferences.value", "/preferences", f"must be storable as JSON: {value} is no number of it")
    _check_notifications(preferences.get("notifications", {}))
    view = preferences.get("default_view")
    if view is not None and not isinstance(view, str):
        raise Invalid("preferences.value", "/preferences/default_view", "must be text or null")
    if view is not None:
        check_line(view, "/preferences/default_view", most=VIEW_MAX)
    return preferences


def _check_notifications(chosen: object) -> None:
    """Kinds of notifications, each on or off. Kinds that the program does not know yet may be chosen ahead."""
    pointer = "/preferences/notifications"
    if not isinstance(chosen, dict) or len(chosen) > NOTIFICATION_KINDS_MAX:
        detail = f"must be an object with at most {NOTIFICATION_KINDS_MAX} kinds, each true or false"
        raise Invalid("preferences.value", pointer, detail)
    for kind, on in chosen.items():
        if _KIND.fullmatch(kind) is None:
            raise Invalid("preferences.value", pointer, "kinds are named by a-z, _ and ., at most 50", kind[:200])
        if not isinstance(on, bool):
            raise Invalid("preferences.value", f"{pointer}/{kind}", "must be true or false")


def _values(value: object) -> Iterator[object]:
    """Every key and every value inside a JSON value."""
    if isinstance(value, dict):
        yield from value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None:
        yield value
    for item in inside or ():
        yield from _values(item)
