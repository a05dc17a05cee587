"""Names every promise that a run did not keep."""

from tests.faults import check_commands, check_frames, check_log, check_rows
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording


def check(recording: Recording) -> list[Violation]:
    """Every violation there is. A good run has none."""
    return [
        *check_log.check(recording),
        *check_commands.check(recording),
        *check_rows.check(recording),
        *check_frames.check(recording),
        *(Violation(Promise.HONEST_ANSWERS, complaint) for complaint in recording.complaints),
    ]


def report(violations: list[Violation], most: int = 20) -> str:
    """For the one who reads about a failure."""
    lines = [f"  - {str(violation)[:500]}" for violation in violations[:most]]
    if len(violations) > most:
        lines.append(f"  … and {len(violations) - most} more")
    return "\n".join(lines)
