"""Failpoints: what the environment asks for happens at the place that it names, and never unasked."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.failpoints import FailpointError, Saboteur, install, read
from api.settings import SettingsError
from domain import failpoints

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import os
from api.failpoints import install
from domain import failpoints
install(os.environ)
for number in range(1, 6):
    print(number, flush=True)
    failpoints.reach({failpoints.COMMITTER_COMMITTED!r})
"""


def run(plan: str, allowed: str = "1") -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "TASKFOLD_FAILPOINTS": plan, "TASKFOLD_FAILPOINTS_ALLOWED": allowed}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)


def test_a_process_kills_itself_at_the_arrival_that_was_named() -> None:
    done = run("committer.committed=kill@3")
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["1", "2", "3"]


def test_another_place_is_passed() -> None:
    done = run("projector.read=kill@1")
    assert (done.returncode, done.stdout.split()) == (0, ["1", "2", "3", "4", "5"])


def test_it_is_refused_where_it_is_not_allowed() -> None:
    done = run("committer.committed=kill@3", allowed="0")
    assert done.returncode == 1
    assert "TASKFOLD_FAILPOINTS_ALLOWED is not 1" in done.stderr


def test_a_place_that_raises_does_so_once() -> None:
    saboteur = Saboteur(read("hub.received=raise@2", ""))
    saboteur.reached(failpoints.HUB_RECEIVED)
    with pytest.raises(FailpointError, match=r"hub\.received"):
        saboteur.reached(failpoints.HUB_RECEIVED)
    saboteur.reached(failpoints.HUB_RECEIVED)


def test_a_range_of_arrivals_is_decided_by_the_seed() -> None:
    arrivals = {seed: read("hub.received=kill@3-40", str(seed))["hub.received"].arrival for seed in range(50)}
    assert set(arrivals.values()) <= set(range(3, 41))
    assert len(set(arrivals.values())) > 10
    assert arrivals == {seed: read("hub.received=kill@3-40", str(seed))["hub.received"].arrival for seed in range(50)}


@pytest.mark.parametrize("text", ["nowhere.at_all=kill@1", "hub.received=kill", "hub.received=sing@1", "hub.received"])
def test_a_plan_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="TASKFOLD_FAILPOINTS"):
        read(text, "")


def test_without_a_hook_nothing_happens() -> None:
    install({})
    failpoints.reach(failpoints.COMMITTER_SENDING)


def test_every_failpoint_is_reached_somewhere_and_every_place_is_declared() -> None:
    names = {name for name, value in vars(failpoints).items() if isinstance(value, str) and name.isupper()}
    text = "".join(
        file.read_text() for room in ("api", "commands", "projections") for file in (ROOT / room).rglob("*.py")
    )
    assert set(re.findall(r"failpoints\.reach\(failpoints\.(\w+)\)", text)) == names
