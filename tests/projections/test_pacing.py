"""Batches are as large as time allows."""

from projections.pacing import SMALL, Lane, Pace, ProjectorSettings

LANE = Lane("workspace", "tasks")
SETTINGS = ProjectorSettings(most=40_000, batch_seconds=2.0)


def test_a_batch_that_takes_long_makes_the_next_ones_smaller_until_they_do_not() -> None:
    pace = Pace(SETTINGS)
    pace.went(LANE, 40_000, 3.0)
    assert pace.positions(LANE) == 20_000
    pace.went(LANE, 20_000, 1.5)  # neither long nor short
    assert pace.positions(LANE) == 20_000
    pace.went(LANE, 20_000, 0.9)
    assert pace.positions(LANE) == 40_000


def test_a_small_batch_that_takes_long_waited_for_something_else() -> None:
    pace = Pace(SETTINGS)
    pace.went(LANE, 3, 30.0)
    assert pace.positions(LANE) == SMALL


def test_whole_batches_come_back_step_by_step_after_a_failure_and_not_while_they_take_long() -> None:
    pace = Pace(SETTINGS)
    for _ in range(3):
        pace.failed(LANE)
    assert pace.positions(LANE) == 40
    pace.went(LANE, 40, 5.0)
    assert pace.positions(LANE) == 40
    sizes = []
    while pace.positions(LANE) < SETTINGS.most:
        sizes.append(pace.positions(LANE))
        pace.went(LANE, sizes[-1], 0.1)
    assert sizes == [40 * 2**n for n in range(10)]
