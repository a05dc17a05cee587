"""What was said to come is made, once each, though the workers are killed: `make faults-recurrence`.

With more or fewer series and kills by TASKFOLD_RECURRENCE_SERIES and TASKFOLD_RECURRENCE_KILLS.
"""

import os
from pathlib import Path

import pytest

from tests.faults.recurrence import play

SEED = os.environ.get("TASKFOLD_RECURRENCE_SEED", "1")
SERIES = int(os.environ.get("TASKFOLD_RECURRENCE_SERIES", "20"))
KILLS = int(os.environ.get("TASKFOLD_RECURRENCE_KILLS", "10"))


@pytest.mark.faults
async def test_what_the_preview_lists_is_made_though_the_workers_are_killed(tmp_path: Path) -> None:
    played = await play(tmp_path, f"{SEED}/long", SERIES, 40, KILLS)
    assert played.violations == [], played.explain()
    assert played.kills == KILLS


@pytest.mark.faults
async def test_a_few_series_catch_up_though_the_workers_are_killed(tmp_path: Path) -> None:
    played = await play(tmp_path, f"{SEED}/short", 4, 5, 1)
    assert played.violations == [], played.explain()
