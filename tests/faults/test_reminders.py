"""Reminders fire once each, whoever is killed: a short form of `make faults-reminders`."""

from pathlib import Path

import pytest

from tests.faults.reminders import play


@pytest.mark.faults
async def test_each_reminder_fires_once_though_the_workers_are_killed(tmp_path: Path) -> None:
    played = await play(tmp_path, "short", 200, 2, 0, minute=5)
    assert played.violations == [], played.explain()
