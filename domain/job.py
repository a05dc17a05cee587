"""What takes longer than a request: the states of a job, and the verdicts on the lines of what was sent with it.

A job is no stream: what it changes is in the log, and where it stands is only of interest while it runs.
"""

from enum import StrEnum
from typing import Final


class JobKind(StrEnum):
    """What jobs there are."""

    IMPORT = "task_import"


class JobState(StrEnum):
    """Where a job stands. While it is `receiving`, nobody is shown it: what it works on is not all there."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    CHECKING = "checking"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE: Final = (JobState.QUEUED, JobState.CHECKING, JobState.RUNNING)


class OnError(StrEnum):
    """What a wrong line means for the others: `stop`, nothing is written; `skip`, it is left out."""

    STOP = "stop"
    SKIP = "skip"


class LineVerdict(StrEnum):
    """What became of a line. `valid`: it could be written, and was not, or not yet; `present`: an import before this
    one has written it.
    """

    VALID = "valid"
    REFUSED = "refused"
    CREATED = "created"
    PRESENT = "present"
