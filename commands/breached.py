"""Passwords that were found in breaches, in a file that the operator provides. Nobody is asked over the network.

The file has the form in which the service Have I Been Pwned publishes them: a line a password, with the SHA-1 of it in
hexadecimal, a colon, and how often it was seen; sorted by the hash. It has tens of gigabytes, so it stays where it is:
a look-up reads some thirty pieces of it.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

LINE_MAX: Final = 80  # bytes: 40 of the hash, a number, and the end of a line
LOOKS: Final = 64  # lines that are compared when the file is opened
DIGITS: Final = 40  # of a SHA-1

_LINE: Final = re.compile(rb"[0-9A-Fa-f]{40}(:[0-9]{1,12})?\r?")


class Breached:
    """The passwords of a file. `in` reads from it: not on the event loop."""

    def __init__(self, path: str | Path) -> None:
        """Raises `OSError` for a file that cannot be read, `ValueError` for one of another form."""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._size = os.fstat(self._file).st_size
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def __contains__(self, password: str) -> bool:
        sought = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, self._size
        while low < high:
            start, line = self._line((low + high) // 2)
            found = line[:DIGITS].upper()
            if found == sought:
                return True
            if found < sought:
                low = start + len(line) + 1
            else:
                high = start
        return False

    def _line(self, at: int) -> tuple[int, bytes]:
        """The line that a byte belongs to, without its end, and where it begins."""
        begin = max(0, at - LINE_MAX)
        piece = os.pread(self._file, 2 * LINE_MAX, begin)
        start = piece.rfind(b"\n", 0, at - begin) + 1
        end = piece.find(b"\n", at - begin)
        line = piece[start : end if end >= 0 else None]
        if _LINE.fullmatch(line) is None:
            raise ValueError(f"byte {begin + start}: not a SHA-1 in hexadecimal, with a colon and a number or without")
        return begin + start, line

    def _check(self) -> None:
        """A look at some lines from the first to the last: they have the form, and stand in order."""
        if self._size == 0:
            raise ValueError("is empty")
        before = b""
        for look in range(LOOKS + 1):
            _, line = self._line((self._size - 1) * look // LOOKS)
            if (found := line[:DIGITS].upper()) < before:
                raise ValueError("is not sorted by the hashes")
            before = found
