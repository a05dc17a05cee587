r"""The domain's rules for text as patterns (ECMA 262): for those who read OpenAPI, who have no Python.

They refuse nothing here: what breaks such a rule is refused by the domain, with a code of its own. White space is that
of Python's `str.strip`, written out, because `\s` means something else in each language.
"""

from typing import Final

_CONTROLS: Final = r"\x00-\x1f\x7f"
_SPACES: Final = r"\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SHOWN: Final = rf"[^{_CONTROLS}{_SPACES}]"
_AROUND: Final = rf"[\x09-\x0d\x1c-\x1f{_SPACES}]*"
_IN_ADDRESS: Final = rf"[^@{_CONTROLS}{_SPACES}]"

LINE: Final = rf"^[^{_CONTROLS}]*{_SHOWN}[^{_CONTROLS}]*$"
SAID: Final = rf"^[^\x00]*{_SHOWN}[^\x00]*$"
TEXT: Final = r"^[^\x00]*$"
EMAIL: Final = rf"^{_AROUND}{_IN_ADDRESS}{{1,64}}@{_IN_ADDRESS}{{1,189}}{_AROUND}$"
SLUG: Final = r"^[a-z0-9]([a-z0-9\-]{0,38}[a-z0-9])?$"
LOCALE: Final = (
    r"^[A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    r"(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[0-9A-WYZa-wyz](-[A-Za-z0-9]{2,8})+)*(-[Xx](-[A-Za-z0-9]{1,8})+)?$"
)
KIND: Final = "^[a-z][a-z_.]{0,49}$"
