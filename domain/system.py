"""Who acts where nobody does: the actor of what time itself brings about."""

from typing import Final

# The nil UUID (RFC 9562 §5.9), which is no member's. For ever: logs hold it.
SYSTEM: Final = "00000000-0000-0000-0000-000000000000"
