"""The same batch sent several times at once, with one key: one effect, and one answer to all."""

import asyncio
from typing import Any

import pytest

from api.batch import bulk
from tests.api.batching import command, send
from tests.api.test_bulk import edit
from tests.house import House

AT_ONCE = 8


def told(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict without what differs from request to request."""
    return {**verdict, "problem": verdict.get("problem", {}).get("code")}


async def test_what_refers_to_others_is_answered_by_what_was_made_and_not_by_what_was_not(house: House) -> None:
    ada = await house.user()
    commands = [
        command("t", "task.create", title="write"),
        command("no", "task.reopen", "$t"),
        command("c", "comment.post", "$t", body="look"),
        command("r", "comment.post", "$t", body="yes", reply_to="$c"),
        command("i", "checklist.add", "$t", text="figures"),
    ]
    answers = await asyncio.gather(*(send(ada, *commands, idempotency_key="k") for _ in range(AT_ONCE)))
    first, *others = [[told(verdict) for verdict in answer.json()["verdicts"]] for answer in answers]
    assert [verdict["problem"] for verdict in first] == [None, "task.illegal_move", None, None, None]
    assert all(other == first for other in others)
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


async def test_one_of_two_that_are_all_or_nothing_finds_done_what_the_other_did(house: House) -> None:
    """It would be refused else: the task is started already."""
    ada = await house.user()
    for n in range(3):
        task = await ada.task()
        commands = [command("s", "task.start", task["id"]), command("t", "task.create", title="write")]
        sending = (send(ada, *commands, atomic=True, idempotency_key=f"{n}") for _ in range(AT_ONCE))
        answers = await asyncio.gather(*sending)
        assert {answer.text for answer in answers} == {answers[0].text}
        assert answers[0].json()["done"] == 2


async def test_a_bulk_edit_counts_as_done_what_the_same_did_in_another_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await house.user()
    for _ in range(3):
        await ada.task("report")
    real = bulk.Bulk._do

    async def after_the_other(self: bulk.Bulk, task_ids: list[str], prefix: str | None, *, again: bool) -> None:
        await real(bulk.Bulk(self.call, self.body), task_ids[:2], prefix, again=True)
        await real(self, task_ids, prefix, again=again)

    monkeypatch.setattr(bulk.Bulk, "_do", after_the_other)
    first = await edit(ada, "report", "task.start", idempotency_key="k")
    assert (first["matched"], first["done"], first["refusals"]) == (3, 3, {})
    assert await edit(ada, "report", "task.start", idempotency_key="k") == first
