"""What a batch answers: a verdict for each command."""

from typing import Any

from api import problems, security_log
from api.batch.running import Ran
from api.batch.steps import Refusal, Step
from api.defence.front import BASE
from api.recurrence import foreseen
from commands.staging import Staged
from domain.errors import Rejection, Undone
from domain.events import NAMES

Verdict = dict[str, Any]


def document(ran: Ran, scope: Any) -> dict[str, Any]:
    """The whole answer."""
    verdicts = [_verdict(step, scope) for step in ran.steps]
    outcomes = [verdict["outcome"] for verdict in verdicts]
    return {
        "verdicts": verdicts,
        **{name: outcomes.count(name) for name in ("done", "refused", "not_done", "would_do")},
        "position": ran.position,
    }


def _verdict(step: Step, scope: Any) -> Verdict:
    if step.refusal is not None:
        return _refused(step, step.refusal, scope)
    assert step.type is not None
    verdict: Verdict = {"id": step.body.id, "outcome": "would_do", "status": step.type.status}
    if step.answer is None:
        assert step.staged is not None
        return {**verdict, **_made(step), **_foreseen(step.staged)}
    answer, receipt = step.answer, step.answer.receipt
    verdict |= {
        "outcome": "done",
        "stream_id": receipt.stream_id,
        "version": receipt.version,
        "position": receipt.position,
        "body": answer.body,
        **_made(step),
    }
    if step.made is not None:
        verdict["location"] = f"{answer.within or BASE + step.path}/{step.made}"
    if answer.warning is not None:
        verdict["warning"] = answer.warning.decode()
    if not receipt.replayed and (step.type.method, BASE + step.type.path) in security_log.EVENTS:
        security_log.told_of(scope, step.type.method, BASE + step.type.path, BASE + step.path)
    return verdict


def _foreseen(staged: Staged) -> Verdict:
    actor = staged.call.actor_id
    events = [
        {"stream_id": stream_id, "version": version, "type": NAMES[type(event)][0], "data": foreseen(event, actor)}
        for (stream_id, event), version in staged.facts
    ]
    return {"stream_id": staged.stream_id, "version": staged.version, "events": events}


def _made(step: Step) -> Verdict:
    return {} if step.made is None else {"created": step.made}


def _refused(step: Step, refusal: Refusal, scope: Any) -> Verdict:
    if isinstance(refusal, Rejection):
        security_log.refused(scope, refusal)
    instance = f"{scope['path']}#/commands/{step.place}"
    problem = problems.described(refusal, instance, scope["request_id"], step.pointer)
    outcome = "not_done" if isinstance(refusal, Undone) else "refused"
    return {"id": step.body.id, "outcome": outcome, "status": problem["status"], "problem": problem}
