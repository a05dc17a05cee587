"""A command of a batch: its route runs up to where it hands its command over, and goes on with the receipt.

So a batch checks, builds and answers as the routes do, by the routes themselves. In between lies what the batch does
with the commands of all of them.
"""

import types
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from pydantic import ValidationError

from api.batch.arguments import arguments_of, matching
from api.batch.bodies import CommandBody
from api.batch.types import Type
from api.commanding import Answer, Commanding
from api.scopes import check
from api.services import Services
from api.tokens import Identity
from commands.batch import key_of
from commands.deciding import Command
from commands.execute import Call, Receipt
from commands.ids import new_id
from commands.staging import Staged
from domain.errors import Invalid, Rejection, Undone

Refusal = Rejection | ValidationError
Lookup = Callable[[str], "Step | None"]  # an earlier step, by its id


class Handed(NamedTuple):
    """A route hands over its command."""

    command: Command


class Handing(Commanding):
    """What the route of a command of a batch works with: its command is done by the batch."""

    async def execute(self, command: Command) -> Answer:
        """Hand it over, and wait for its receipt."""
        receipt = await _hand(command)
        return Answer(receipt, receipt.state)


@types.coroutine
def _hand(command: Command) -> Generator[Handed, Receipt, Receipt]:
    receipt = yield Handed(command)
    return receipt


@types.coroutine
def _on(route: Coroutine[Any, Any, Answer], value: Receipt | None) -> Generator[Any, Any, Handed | Answer]:
    """Let a route go on to where it hands a command over, or to its end. What it waits for meanwhile is waited for."""
    try:
        found = route.send(value)
        while not isinstance(found, Handed):
            try:
                sent = yield found
            except BaseException as error:
                found = route.throw(error)
            else:
                found = route.send(sent)
    except StopIteration as ended:
        answer: Answer = ended.value
        return answer
    return found


@dataclass(slots=True)
class Step:
    """One command, and how far it has come.

    `made` is the id of what it creates, once that is decided. `refusal` says why it is not done; else `staged` is what
    it would write, and `answer` what its route answers once that is written.
    """

    place: int
    body: CommandBody
    type: Type | None
    call: Call
    made: str | None = None
    staged: Staged | None = None
    answer: Answer | None = None
    refusal: Refusal | None = None
    _route: Coroutine[Any, Any, Answer] | None = None
    _command: Command | None = None
    _needs: "list[tuple[Step, str]]" = field(default_factory=list)  # those it refers to, and what each was to create
    _arguments: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget what came of it: it is decided anew."""
        self.staged = self.answer = self.refusal = None

    async def command(self, services: Services, identity: Identity, earlier: Lookup) -> Command:
        """The command of its route. Raises `Rejection` and `ValidationError`, which say what is wrong with it.

        Where one that it refers to has created something else by now, as one does whose key was known, it begins anew.
        """
        if self._command is None or any(step.made != made for step, made in self._needs):
            self.close()
            await self._start(services, identity, earlier)
        for step, _ in self._needs:
            if step.refusal is not None:
                raise _failed(step)
        assert self._command is not None
        return self._command

    def decided(self, staged: Staged) -> None:
        """It will do this, if the others let it."""
        self.staged = staged
        if self.type is not None and self.type.creates:
            made = self.type.made
            self.made = staged.stream_id if made is None else made(self._command, staged)

    async def finish(self, receipt: Receipt) -> None:
        """It is done: its route says what to answer."""
        route, self._route = self._route, None
        assert route is not None
        found = await _on(route, receipt)
        if isinstance(found, Handed):
            raise RuntimeError(f"the route of {self.body.type!r} hands over more than one command")
        self.answer = found
        if self.type is not None and self.type.creates:
            self.made = found.made or found.receipt.stream_id

    def close(self) -> None:
        """Its route ends where it is."""
        if self._route is not None:
            self._route.close()
        self._route = self._command = None

    @property
    def path(self) -> str:
        """The path of its own route, below the base."""
        path = "" if self.type is None else self.type.path
        for name, value in self._arguments.items():
            if isinstance(value, str):
                path = path.replace(f"{{{name}}}", quote(value))
        return path

    def pointer(self, inner: str) -> str:
        """Where in the batch is what its own route would call so."""
        at = f"/commands/{self.place}"
        for prefix in ("/path/", "/query/"):
            if inner.startswith(prefix):
                name = inner.removeprefix(prefix)
                is_target = self.type is not None and self.type.target is not None and self.type.target[0] == name
                return f"{at}/target" if is_target and prefix == "/path/" else f"{at}/data/{name}"
        return inner if inner.startswith(("/headers/", at)) else f"{at}/data{inner}"

    async def _start(self, services: Services, identity: Identity, earlier: Lookup) -> None:
        if self.type is None:
            kind = self.body.type
            raise Invalid("batch.unknown_type", f"/commands/{self.place}/type", "is no type of a command", kind)
        if identity.scopes is not None:
            check(identity, self.type.scope)
        self._needs = []
        self._arguments = arguments_of(
            self.type, self.body, f"/commands/{self.place}", lambda mark, at: self._resolve(mark, at, earlier)
        )
        self.call = msgspec.structs.replace(self.call, if_match=matching(self.body.if_match))
        self._route = self.type.endpoint(call=Handing(services, self.call), **self._arguments)
        found = await _on(self._route, None)
        if not isinstance(found, Handed):
            detail = "must be absent: what this asks for changes nothing; a batch has a dry_run of its own"
            raise Invalid("request.invalid", f"/commands/{self.place}/data/dry_run", detail, value=True)
        self._command = found.command

    def _resolve(self, reference: str, pointer: str, earlier: Lookup) -> str:
        """What an earlier step creates. Raises `Invalid` `batch.reference`, `Undone` `batch.reference_failed`."""
        step = earlier(reference[1:])
        if step is None or step.place >= self.place:
            detail = "must be $ and the id of an earlier command of the batch"
            raise Invalid("batch.reference", pointer, detail, reference)
        if step.refusal is not None:
            raise _failed(step)
        if step.made is None:
            raise Invalid("batch.reference", pointer, f"the command {step.body.id!r} creates nothing", reference)
        self._needs.append((step, step.made))
        return step.made


def _failed(step: Step) -> Undone:
    return Undone("batch.reference_failed", f"the command {step.body.id!r}, to which it refers, is not done")


def steps_of(
    commands: Sequence[CommandBody], kinds: Mapping[str, Type], call: Call, keys: Sequence[str] | None
) -> list[Step]:
    """The steps of a batch: each with a call of its own, under a key of its own where the batch has one."""
    return [
        Step(
            place,
            body,
            kinds.get(body.type),
            Call(
                call.workspace_id,
                call.actor_id,
                call.correlation_id,
                key_of(call.key, place) if keys is None else keys[place],
                call.fingerprint,
            ),
        )
        for place, body in enumerate(commands)
    ]


def one_command_id(steps: list[Step]) -> None:
    """The steps of what is done as one share the id of one command."""
    shared = new_id()
    for step in steps:
        call = step.call
        step.call = Call(
            call.workspace_id, call.actor_id, call.correlation_id, call.key, call.fingerprint, None, shared
        )
