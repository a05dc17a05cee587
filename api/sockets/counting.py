"""What the sockets of a process have done, for its metrics: plain numbers, read when somebody asks."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pushes:
    """`open` sockets now; all else since the start. `bytes` are those of frames with changes."""

    open: int = 0
    frames: int = 0
    bytes: int = 0
    conflated: int = 0
    resyncs: int = 0
    publications: int = 0
    holes: int = 0
    closed: Counter[int] = field(default_factory=Counter)
