"""Become another program: as another user if asked, and never outliving the one who started it.

Run by path (`python -I -S launch.py PARENT SIGNAL USER PROGRAM ARGUMENT…`), so it imports nothing of ours. It is a
program and not a `preexec_fn` because code between fork and exec is unsafe beside threads (and warned about since
Python 3.12), and because a failure can speak for itself here.

The order matters. The kernel clears a parent-death signal when credentials change, so it is set last; and since the
parent may have died before that, it is compared afterwards.

`no cover`: it ends in exec, in an interpreter of its own without site-packages, so coverage sees none of it. The tests
in `tests/api/test_embedded.py` look at the processes it becomes.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_GET_SECUREBITS, PR_SET_SECUREBITS = 27, 28
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, *values: int) -> int:
    # Variadic in C: every value must be passed as the long the kernel reads.
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return _check(ctypes.CDLL(None, use_errno=True).prctl(option, *padded))


def _keep_only(capability: int) -> None:  # pragma: no cover
    """Give up every capability but one (`capset(2)`)."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; then the upper halves
    _check(ctypes.CDLL(None, use_errno=True).capset(header, sets))


def become(uid: int, gid: int) -> None:  # pragma: no cover
    """Turn from root into an ordinary user who can still reach files below directories that are closed to others.

    PostgreSQL refuses to run as root, and its files may lie below a directory of root's with mode 0700, whose mode is
    not ours to change. So CAP_DAC_OVERRIDE alone is kept, as an ambient capability, which survives exec. (Permitted
    must not exceed ambient, or exec would count as a gain of privilege and clear the parent-death signal.)
    NO_SETUID_FIXUP keeps it across setuid, and makes access(2), with which PostgreSQL looks for its own files, heed it.
    """
    _prctl(PR_SET_SECUREBITS, _prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _keep_only(CAP_DAC_OVERRIDE)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def die_with(parent: int, number: int) -> None:  # pragma: no cover
    """Ask the kernel for this signal when the parent dies. Where there is no such call, only an orderly end helps."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit("error: the process that started this one is gone")


def reset_signals() -> None:  # pragma: no cover
    """Undo what Python and the parent changed and exec would hand on (Python ignores SIGPIPE)."""
    for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGCHLD"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def main(arguments: list[str]) -> None:  # pragma: no cover
    """Do as the arguments say; come back only by failing."""
    parent, number, user, *program = arguments
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        try:
            become(uid, gid)
        except OSError as error:
            sys.exit(
                f"error: cannot run {os.path.basename(program[0])} as user {uid} while keeping the right to reach its "
                f"files: {error.strerror} (root needs the capabilities SETUID, SETGID, SETPCAP and DAC_OVERRIDE; "
                "or start it as an ordinary user)"
            )
    die_with(int(parent), int(number))
    reset_signals()
    try:
        os.execv(program[0], program)  # noqa: S606  (no shell is the point)
    except OSError as error:
        sys.exit(f"error: cannot start {program[0]}: {error.strerror}")


if __name__ == "__main__":  # pragma: no cover
    main(sys.argv[1:])
