"""Names every promise that a run did not keep. Linear in what it reads, so that it may be a long run."""

from tests.faults import check_commands, check_frames, check_log, check_order, check_reads, check_rows
from tests.faults.promises import Promise, Violation
from tests.faults.recording import Recording


def check(recording: Recording) -> list[Violation]:
    """Every violation there is. A good run has none."""
    return [
        *check_log.check(recording),
        *check_commands.check(recording),
        *check_order.check(recording),
        *check_rows.check(recording),
        *check_reads.check(recording),
        *check_frames.check(recording),
        *(Violation(Promise.HONEST_ANSWERS, complaint) for complaint in recording.complaints),
    ]


def report(violations: list[Violation], most: int = 20) -> str:
    """For the one who reads about a failure: of each promise a few, so that one does not hide another."""
    counts: dict[Promise, int] = {}
    lines: list[str] = []
    for violation in violations:
        counts[violation.promise] = counts.get(violation.promise, 0) + 1
        if counts[violation.promise] <= max(3, most // 4) and len(lines) < most:
            lines.append(f"  - {str(violation)[:700]}")
    total = ", ".join(f"{count} of '{promise}'" for promise, count in counts.items())
    return "\n".join([*lines, f"  in all: {total}"])
