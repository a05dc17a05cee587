"""Garbage collection in a process that keeps much for long and makes little of it in circles."""

import gc
from typing import Final

# Objects made between two collections of the youngest; of the youngest between two of the middle ones, and so on. With
# Python's own 700, 10, 10 the collector walked through all states in memory every few seconds, 100 ms and more; with
# 10,000 young ones a walk through those of middle age took 11 to 18 ms, in which every request waited. What commands
# that are committed together need is let go of soon after: with 2,000 the collector walked through it 45 times a second
# under full load, a twentieth of all time; with 4,000 five times, a hundredth, and 6 ms at most at once.
THRESHOLDS: Final = (4_000, 3, 100)


def settle() -> None:
    """Call once, when everything is loaded: what is there now stays, and is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
