"""Batches against the model of tasks, projects and relations: a batch is the same commands, done one by one."""

import gc
from collections.abc import Coroutine, Sequence
from copy import deepcopy
from typing import Any, TypeVar, cast
from weakref import ref

import pytest
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from commands.event_store import EventStore
from commands.execute import Call
from commands.staging import Stage
from commands.streams import Folded, Streams
from commands.task import CreateTask
from domain.events import Event, Recorded
from domain.streams import evolve, fold
from domain.task import Task
from tests.domain.family_machine import scaled
from tests.domain.family_model import Modelled
from tests.domain.given import ADA, WORKSPACE, Given, at
from tests.domain.templates import named
from tests.domain.test_family_machine import PureFamilyMachine

LONGEST = 6  # commands of a batch: then it is committed

T = TypeVar("T")


class KnownStreams:
    """All streams of a log in memory: nothing has to be loaded. What is folded elsewhere must be what is in the log."""

    def __init__(self, given: Given) -> None:
        self.given = given

    def get(self, _: str, stream_id: str) -> Folded:
        return self.given.folded.get(stream_id, Folded(0, None, 0))

    def put(self, _: str, folded: dict[str, Folded]) -> None:
        for stream_id, now in folded.items():
            assert now == self.given.folded[stream_id]


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine answers that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return cast("T", ended.value)
    raise AssertionError("it waits for something")


class BatchMachine(PureFamilyMachine):
    """Commands of one person after another are a batch, until somebody else comes or it is long enough."""

    def __init__(self) -> None:
        super().__init__()
        self.before = deepcopy(self.model)
        self.by = ADA
        self._open(ADA)

    def _open(self, actor: str) -> None:
        self.before = deepcopy(self.model)
        self.by, self.sent = actor, 0
        streams, store = cast("Streams", KnownStreams(self.given)), cast("EventStore", None)
        self.stage = Stage(streams, store, WORKSPACE, actor)

    def _agree(self, command: Modelled, actor: str) -> None:
        if actor != self.by or self.sent == LONGEST:
            self._commit()
            self._open(actor)
        self.sent += 1
        super()._agree(command, actor)

    def perform(self, command: Modelled, actor: str) -> Sequence[tuple[str, Event]]:
        staged = at_once(self.stage.take(command, Call(WORKSPACE, actor, "a request")))
        return [fact for fact, _ in staged.facts]

    @precondition(lambda self: bool(self.before.tasks))
    @rule()
    def refuse_the_batch(self) -> None:
        """As one of its commands does where it is all or nothing: nothing has happened."""
        self.model = deepcopy(self.before)
        self._open(self.by)

    def look(self) -> None:
        for task_id in self.model.tasks:
            task = self.stage.now(task_id, Task) or self.given.folded[task_id].state
            assert isinstance(task, Task)
            self.model.check(task_id, task)

    def _commit(self) -> None:
        """What it wants of the log holds there, and the receipts are what the log folds to."""
        wish = self.stage.wish(Call(WORKSPACE, self.by, "a request"))
        for stream_id, version in wish.reads.items():
            assert KnownStreams(self.given).get(WORKSPACE, stream_id).version == version
        recorded_at = at(len(self.given.log) + 1)
        for (stream_id, event), meta in zip(wish.facts, wish.metas, strict=True):
            before = self.given.folded.get(stream_id, Folded(0, None, 0))
            version = before.version + 1
            logged = Recorded(len(self.given.log) + 1, stream_id, version, event, meta, recorded_at)
            self.given.log.append(logged)
            self.given.folded[stream_id] = Folded(version, evolve(before.state, logged), 0)
        for receipt in at_once(self.stage.settle(len(self.given.log), recorded_at)):
            until = [each for each in self.given.log if each.position <= receipt.position]
            mine = [each for each in until if each.stream_id == receipt.stream_id]
            assert (receipt.version, receipt.state) == (len(mine), fold(mine))

    def teardown(self) -> None:
        self._commit()
        self._open(self.by)
        super().teardown()


def test_a_stage_is_gone_with_its_last_user() -> None:
    """It holds the streams of up to five hundred commands, and the collector of circles comes late."""
    machine = BatchMachine()
    gc.disable()
    try:
        streams, store = cast("Streams", KnownStreams(machine.given)), cast("EventStore", None)
        stage = Stage(streams, store, WORKSPACE, ADA)
        at_once(stage.take(CreateTask(named("a"), "write"), Call(WORKSPACE, ADA, "a request")))
        last = ref(stage)
        del stage
        assert last() is None
    finally:
        gc.enable()


@pytest.mark.long
def test_a_batch_does_what_its_commands_do_one_by_one() -> None:
    run_state_machine_as_test(BatchMachine, settings=scaled(1))
