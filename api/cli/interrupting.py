"""Ctrl-C while something is started, which may be in the middle of anything."""

import signal
import sys
from types import FrameType, TracebackType
from typing import Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Makes SIGINT and SIGTERM a `KeyboardInterrupt`, and remembers that one came: `with Interrupts() as interrupts:`.

    What a signal raises is lost where it comes in a destructor: Python prints what is raised there, and goes on. So
    whoever has something started asks before it runs on. In the main thread only.
    """

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._on_signal) for number in SIGNALS]
        self._hook, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.unraisablehook = self._hook
        for number, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises `KeyboardInterrupt` where a signal came."""
        if self._came:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt

    def _on_unraisable(self, lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            self._hook(lost)
