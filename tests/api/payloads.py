"""What those send who look for a place where text becomes SQL, a pattern, a query, a path or a format."""

import base64
from collections.abc import Iterator
from typing import Final

import orjson

# Text that is valid, and so must be taken as it is.
TEXTS: Final = (
    "' OR '1'='1", "'; DROP TABLE tasks; --", "x' UNION SELECT password_hash FROM accounts --", "1; SELECT pg_sleep(9)",
    "'||(SELECT pg_sleep(9))||'", "\" OR \"\"=\"", "$$; DROP TABLE tasks; $$", "\\'; DROP TABLE tasks; --", "\\", "'",
    "''", '"', "--", "/*", "%", "_", "%%", "%a%", "\\%", "*", ".*", "[a-z]", "{}", "{t.title}", "%s", "%(workspace)s",
    "$1", "::text", "null", "NaN", "9" * 40, "1e400", "a & b", "!a", "a <-> b", "a:*", "((((", "'a' <1000> 'b'", "-a",
    "or", "\u2019 OR \u20191\u2019=\u20191", "\uff07 OR 1=1", "\u0130\u0131\ufb01", "\u202e%", "\U0001f600", "\ufeff'",
    "../../etc/passwd", "%00", "%27", "<script>", "${jndi:ldap://x}", '{"$ne": null}', "{a,b}", "$.a[*] ? (@ > 1)",
    "x" * 490,
)  # fmt: skip

# Some of them, one of a kind: for places that take no text at all, or take their time.
FEW: Final = tuple(
    text for text in TEXTS if text in ("' OR '1'='1", "1; SELECT pg_sleep(9)", "\\", "%", "NaN", "{}", "a:*")
)

# What is no text that can be kept, as a query carries it: percent-encoded.
RAW: Final = (
    "", "%00", "a%00b", "%ff", "%c3%28", "%ED%A0%80", "%ED%B0%80x", "%c0%a7", "%0d%0aX-Evil:%201",
    "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "x" * 3_000, "%27" * 1_000, "%25" * 600, "(" * 600,
)  # fmt: skip

# Spellings of one parameter that some servers read as lists or as conditions.
SPELLINGS: Final = ("{name}[]=x", "{name}[$ne]=x", "{name}[0]=x", "{name}.a=x", "{name}=x&{name}=%27", "{name}")


def cursors(sort: str) -> Iterator[str]:
    """Forged cursors of a list that is sorted so, with each of the texts where a value is expected, or a name."""
    for text in TEXTS:
        for document in ([[sort], [text, "01890000-0000-7000-8000-000000000000"]], [[sort], ["a", text]], [[text], []]):
            yield base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")
