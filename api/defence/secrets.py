"""What must never be shown or written down: secrets, wherever somebody has put them."""

import re
from typing import Any, Final

HIDDEN: Final = "(not shown)"

_NAMES: Final = re.compile(
    r"pass|secret|token|authori[sz]|credential|cookie|api.?key|invite|ticket|/auth/|/feeds/", re.IGNORECASE
)


_IN_PATHS: Final = re.compile(r"(/feeds/)(?!(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$).*", re.DOTALL)


def logged(path: str) -> str:
    """A path as it may be written down: what stands where the secret of a feed does is left out, but an id."""
    return _IN_PATHS.sub(rf"\1{HIDDEN}", path) if "/feeds/" in path else path


def is_private(name: str) -> bool:
    """Whether a field of this name, or a path, has to do with secrets."""
    return _NAMES.search(name) is not None


def without(value: Any) -> Any:
    """The same JSON value with the values of such fields hidden."""
    if isinstance(value, dict):
        return {key: HIDDEN if is_private(str(key)) else without(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without(item) for item in value]
    return value
