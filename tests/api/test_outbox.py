"""What waits for a client: the latest of each task, in the order of the log, within bounds."""

from hypothesis import given
from hypothesis import strategies as st

from api.sockets import frames, outbox
from api.sockets.outbox import Outbox


class Pipe:
    """A wire that is paused or not, and keeps what was written."""

    def __init__(self, paused: bool = False) -> None:
        self.paused = paused
        self.written: list[bytes] = []

    def write(self, frame: bytes) -> None:
        self.written.append(frame)


def made(pipe: Pipe, most: int = 100) -> Outbox:
    """An outbox that is past its catch-up."""
    box = Outbox(pipe, most)  # type: ignore[arg-type]
    box.release()
    return box


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=40))
def test_what_arrives_is_in_order_ends_with_the_latest_of_each_task_and_says_what_is_missing(
    steps: list[tuple[str, bool]],
) -> None:
    pipe = Pipe()
    box = made(pipe)
    for position, (task_id, paused) in enumerate(steps):
        pipe.paused = paused
        if not paused:
            box.flush()
        box.put(task_id, b"%d" % position)
    pipe.paused = False
    box.flush()
    got = [int(frame) for frame in pipe.written]
    assert got == sorted(got)
    assert {max(n for n, (task_id, _) in enumerate(steps) if task_id == id_) for id_, _ in steps} <= set(got)
    assert len(got) + box.told() == len(steps)
    assert box.told() == 0
    assert box.is_empty


def test_too_many_tasks_or_bytes_are_too_many_for_good() -> None:
    few = made(Pipe(paused=True), most=2)
    for task_id, full in zip("aabbabca", [False] * 6 + [True] * 2, strict=True):
        few.put(task_id, b"x")
        assert few.full is full
    large = made(Pipe(paused=True))
    for task_id, full in (("a", False), ("a", False), ("b", True)):
        large.put(task_id, b"x" * outbox.MOST_BYTES)
        assert large.full is full


def test_what_is_too_much_during_a_catch_up_is_left_to_the_log() -> None:
    pipe = Pipe()
    box = Outbox(pipe, 2)  # type: ignore[arg-type]
    for task_id in "aabcd":
        box.put(task_id, b"x")
    assert (box.overrun, box.full, box.is_empty) == (True, False, True)
    box.begin_again()
    for task_id in "ef":
        box.put(task_id, task_id.encode())
    box.release()
    assert (pipe.written, box.told(), box.overrun, box.full) == ([b"e", b"f"], 0, False, False)


def test_what_has_ended_sends_and_keeps_nothing() -> None:
    pipe = Pipe(paused=True)
    box = made(pipe)
    box.put("a", b"1")
    box.stop()
    pipe.paused = False
    box.put("b", b"2")
    box.flush()
    assert (pipe.written, box.is_empty) == ([], True)


def test_a_role_that_changes_twice_is_no_conflated_change() -> None:
    box = made(Pipe(paused=True))
    for _ in range(2):
        box.put(outbox.RESYNC, b"resync")
    assert box.told() == 0


def test_nothing_overtakes_a_catch_up() -> None:
    pipe = Pipe()
    box = Outbox(pipe, 10)  # type: ignore[arg-type]
    box.put("a", b"1")
    box.flush()
    assert pipe.written == []
    box.release()
    assert pipe.written == [b"1"]


@given(st.one_of(st.integers(0, 300), st.sampled_from([125, 126, 127, 65_535, 65_536, 70_000])))
def test_a_frame_has_the_length_that_it_says(size: int) -> None:
    whole = frames.frame(b"x" * size)
    assert whole[0] == 0x81
    short = whole[1]
    extra = {126: 2, 127: 8}.get(short, 0)
    assert (int.from_bytes(whole[2 : 2 + extra]) if extra else short) == size
    assert whole[2 + extra :] == b"x" * size
