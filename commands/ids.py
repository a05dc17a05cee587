"""New ids: UUID version 7 (RFC 9562 §5.7), so that what is made together lies together in an index."""

import os
import time
from uuid import UUID


def new_id() -> str:
    """A new UUID version 7, as canonical text."""
    moment = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    tail = bytearray(os.urandom(10))
    tail[0] = tail[0] & 0x0F | 0x70
    tail[2] = tail[2] & 0x3F | 0x80
    return str(UUID(bytes=moment + bytes(tail)))
