"""Failpoints: named places between two steps that must not be torn apart, where a test may tear them.

A hook is installed only by a program that is started for that (`api/failpoints.py`); to everybody else a failpoint
costs a call and one comparison. What is tested this way is what is shipped: no other code asks whether it is tested.
"""

from collections.abc import Callable
from typing import Final

COMMITTER_SENDING: Final = "committer.sending"
"""A batch is taken from the queue, and not sent yet: nothing has happened."""

COMMITTER_COMMITTED: Final = "committer.committed"
"""A batch is committed, and nobody has been told."""

COMMITTER_ANSWERED: Final = "committer.answered"
"""Those who waited have their verdicts, and no hint has been published."""

EXECUTOR_DECIDED: Final = "executor.decided"
"""A command is decided, and not in the committer's queue yet."""

EXECUTOR_APPENDED: Final = "executor.appended"
"""A command has its verdict, and memory does not know of its events yet."""

BATCH_DECIDED: Final = "batch.decided"
"""The commands of a batch are decided, and not in the committer's queue yet."""

BATCH_APPENDED: Final = "batch.appended"
"""A batch has its verdict, and memory does not know of its events yet."""

ACCOUNT_SENDING: Final = "account.sending"
"""A registration or a change of a profile has a connection, and is not sent yet."""

ACCOUNT_COMMITTED: Final = "account.committed"
"""A registration or a change of a profile is committed, and nobody has been told."""

BLOB_KEPT: Final = "blob.kept"
"""The bytes of a file are in their place, and no fact names them yet."""

PROJECTOR_READ: Final = "projector.read"
"""A batch is read from the log, and nothing of it is written."""


PROJECTOR_COMMITTED: Final = "projector.committed"
"""Rows and checkpoint are committed, and nothing has been published."""

HUB_RECEIVED: Final = "hub.received"
"""A publication has arrived, and no socket has anything of it."""

HUB_HANDED_OUT: Final = "hub.handed_out"
"""The changes of a publication wait at their sockets, and none has been sent."""

SOCKET_CATCHING_UP: Final = "socket.catching_up"
"""A socket is counted among those who follow, and what it missed has not been sent."""

JOB_RECEIVED: Final = "job.received"
"""Everything that comes with a job is kept, and no worker may take it yet."""

IMPORT_WRITTEN: Final = "import.written"
"""Tasks of an import are committed, and its rows do not say so yet."""

SESSION_SPENDING: Final = "session.spending"
"""A refresh token is found unspent, and its successor is not written yet."""

SESSION_SPENT: Final = "session.spent"
"""A refresh token is spent for its successor, and the client does not have that one yet."""

SCHEDULER_FOUND: Final = "scheduler.found"
"""What is due is known, and nothing of it has happened."""

ALL: Final = frozenset(value for name, value in dict(globals()).items() if name.isupper() and isinstance(value, str))

Hook = Callable[[str], None]

_hook: Hook | None = None


def reach(name: str) -> None:
    """Say that a place was reached. What the hook raises is raised here."""
    if _hook is not None:
        _hook(name)


def install(hook: Hook | None) -> None:
    """Call this at every failpoint from now on; None: nothing."""
    global _hook
    _hook = hook
