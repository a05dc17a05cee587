"""What happens at failpoints, as the environment says; for the fault laboratory, never for an installation.

`TASKFOLD_FAILPOINTS="committer.committed=kill@17;projector.committed=stop@3-40"`: the process kills itself when it gets
to the first place for the 17th time, and stops (SIGSTOP) at the second one, at a time between the third and the 40th
that `TASKFOLD_FAILPOINTS_SEED` chooses. `raise` raises `FailpointError` there. Each does so once. All this is refused
unless `TASKFOLD_FAILPOINTS_ALLOWED` is 1.
"""

import logging
import os
import re
import signal
from collections.abc import Mapping
from random import Random
from typing import Final, NamedTuple

from api.settings import PREFIX, SettingsError
from domain import failpoints

log: Final = logging.getLogger(__name__)

VARIABLE: Final = f"{PREFIX}FAILPOINTS"
ALLOWED: Final = f"{PREFIX}FAILPOINTS_ALLOWED"
SEED: Final = f"{PREFIX}FAILPOINTS_SEED"

_PLAN: Final = re.compile(r"([a-z_.]+)=(kill|stop|raise)@([1-9]\d*)(?:-([1-9]\d*))?")


class FailpointError(RuntimeError):
    """What a failpoint raises that was told to."""


class Plan(NamedTuple):
    """What is to happen at a place, and at which arrival there."""

    action: str
    arrival: int


def install(environment: Mapping[str, str]) -> None:
    """Install what the environment asks for, if it does. Raises `SettingsError`."""
    text = environment.get(VARIABLE, "")
    if not text:
        return
    if environment.get(ALLOWED) != "1":
        raise SettingsError(f"{VARIABLE}: is set, but {ALLOWED} is not 1; it makes the program fail on purpose")
    plans = read(text, environment.get(SEED, ""))
    log.warning("failing on purpose", extra={"failpoints": {name: plan._asdict() for name, plan in plans.items()}})
    failpoints.install(Saboteur(plans).reached)


def read(text: str, seed: str) -> dict[str, Plan]:
    """The plans in a text. Raises `SettingsError`."""
    plans = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _PLAN.fullmatch(part)
        if match is None or match[1] not in failpoints.ALL:
            raise SettingsError(f"{VARIABLE}: must be like 'committer.committed=kill@17', got {part!r}")
        first = int(match[3])
        last = max(first, int(match[4] or first))
        plans[match[1]] = Plan(match[2], Random(f"{seed}/{match[1]}").randint(first, last))  # noqa: S311
    return plans


class Saboteur:
    """Counts arrivals, and does what was planned."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = plans
        self._arrivals = dict.fromkeys(plans, 0)

    def reached(self, name: str) -> None:
        """A place was reached. May not return."""
        plan = self._plans.get(name)
        if plan is None:
            return
        self._arrivals[name] += 1
        if self._arrivals[name] != plan.arrival:
            return
        if plan.action == "raise":
            raise FailpointError(name)
        os.kill(os.getpid(), signal.SIGKILL if plan.action == "kill" else signal.SIGSTOP)
