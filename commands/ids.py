"""New ids: UUID version 7 (RFC 9562 §5.7), so that what is made together lies together in an index."""

import os
import time


def new_id() -> str:
    """A new UUID version 7, as canonical text."""
    text = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
