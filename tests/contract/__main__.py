"""One round against a running program: `python -m tests.contract --base http://127.0.0.1:8000 --role admin --seed 1`.

The program must be a fresh one that takes registrations, with limits that nobody reaches. What is found is printed,
with a command that asks the same again; the result goes into a file as JSON.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import httpx
import schemathesis
from hypothesis import strategies
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import EnsureResourceAvailability, UseAfterFree
from schemathesis.specs.openapi import stateful

from domain.zones import names
from tests.contract import strictness
from tests.contract.persona import ROLES, Persona
from tests.contract.round import Round, Size, configuration

_RULES = ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=12", "FREQ=YEARLY;UNTIL=20991231")


@click.command()
@click.option("--base", required=True, help="Where the program is.")
@click.option("--role", type=click.Choice(ROLES), default="admin", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--examples", type=int, default=10, show_default=True, help="Requests made up of each operation.")
@click.option("--scenarios", type=int, default=10, show_default=True, help="Sequences of requests.")
@click.option("--coverage/--no-coverage", default=True, help="Whether each rule of each schema is broken once.")
@click.option("--deterministic", is_flag=True, help="The same requests each time, whatever the seed.")
@click.option("--only", multiple=True, help="The operationId of an operation; all where none is named.")
@click.option("--document", type=click.Path(path_type=Path), help="Another document than the program's own.")
@click.option("--result", type=click.Path(path_type=Path), help="Where the result goes.")
def main(
    base: str, role: str, seed: int, only: tuple[str, ...], document: Path | None, result: Path | None, **size: int
) -> None:
    """Make requests from the document of a running program, and hold the answers against it."""
    warnings.simplefilter("ignore")  # of schemathesis about itself
    text = httpx.get(f"{base}/openapi.json").raise_for_status().text if document is None else document.read_text()
    persona = Persona(base, role)

    @schemathesis.auth(refresh_interval=None)
    class _Asker:
        def get(self, case: schemathesis.Case[Any], context: object) -> str:
            return persona.current()

        def set(self, case: schemathesis.Case[Any], data: str, context: object) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    @schemathesis.hook
    def after_call(context: HookContext, case: schemathesis.Case[Any], response: schemathesis.Response) -> None:
        persona.hear(case, response)

    unnamed = "in query - violates `additionalProperties`"  # lists refuse such parameters; no document forbids them

    @schemathesis.hook
    def filter_failure(context: HookContext, failure: Failure, case: schemathesis.Case[Any], response: object) -> bool:
        # These two count what was made and deleted, and know neither of the trash nor that a request with the key of an
        # earlier one is answered as that one was, and has no effect.
        counted = isinstance(failure, EnsureResourceAvailability | UseAfterFree)
        revived = counted and persona.revived & set(map(str, case.path_parameters.values()))
        return not revived and unnamed not in failure.message

    # Else no sequence begins with a task, because it may name a project.
    setattr(stateful, "is_likely_root_transition", lambda operation, *_: not operation.path_parameters)  # noqa: B010

    # It makes header fields of letters and digits alone, where no format says more.
    tags = strategies.from_regex(r'"[0-9]{1,4}"', fullmatch=True)
    schemathesis.openapi.format("entity-tag", strategies.just("*") | tags)
    schemathesis.openapi.format("iana-time-zone", strategies.sampled_from(sorted(names())))
    schemathesis.openapi.format("recurrence-rule", strategies.sampled_from(_RULES))

    config = SchemathesisConfig.from_dict(configuration(base, seed, Size(**size)))  # type: ignore[arg-type]
    played = Round(role, seed)
    asked = json.loads(text)
    if only:
        _keep(asked, only)
    played.play(schemathesis.openapi.from_dict(strictness.closed(asked), config=config))
    played.logins, played.mendings = persona.logins, persona.mendings
    for finding in played.findings.values():
        click.echo(f"{finding}\n")
    if result is not None:
        result.write_text(json.dumps(played.result()))
    sys.exit(1 if played.findings else 0)


def _keep(document: dict[str, Any], only: tuple[str, ...]) -> None:
    """Leave out the other paths; what a filter of schemathesis leaves out is still asked to break its rules."""
    paths = document["paths"]
    document["paths"] = {
        path: operations
        for path, operations in paths.items()
        if any(operation["operationId"] in only for operation in operations.values())
    }
    kept = [operation for operations in document["paths"].values() for operation in operations.values()]
    names = {operation["operationId"] for operation in kept}
    for answer in (answer for operation in kept for answer in operation["responses"].values() if "links" in answer):
        answer["links"] = {name: link for name, link in answer["links"].items() if link["operationId"] in names}


if __name__ == "__main__":
    main()
