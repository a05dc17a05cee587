"""One round of schemathesis: its configuration, and what came of it."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.schemas import BaseSchema


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> Any:
    """What is sent as JSON Lines goes as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


STEPS = 20  # of a sequence at the most


@dataclass(frozen=True)
class Size:
    """How much a round asks: requests of each operation, sequences, and whether every rule is broken once."""

    examples: int
    scenarios: int
    coverage: bool = True
    deterministic: bool = False


def configuration(base: str, seed: int, size: Size) -> dict[str, Any]:
    """The settings of schemathesis. Every check is on."""
    # A request may be refused for more than one reason, and these come first.
    refused = ["400", "401", "403", "404", "405", "409", "412", "413", "414", "415", "422", "431"]
    return {
        "seed": seed,
        "base-url": base,
        "request-timeout": 30,
        "output": {"sanitization": {"enabled": False}},
        "generation": {"database": "none", "no-shrink": True, "deterministic": size.deterministic},
        "phases": {
            "coverage": {"enabled": size.coverage},
            "examples": {"enabled": size.coverage},
            "fuzzing": {"enabled": size.examples > 0, "generation": {"max-examples": max(1, size.examples)}},
            "stateful": {
                "enabled": size.scenarios > 0,
                "max-steps": STEPS,
                "inference": {
                    "algorithms": []
                },  # it joins what has nothing to do with each other; the document has links
                "generation": {"max-examples": max(1, size.scenarios)},
            },
        },
        "operations": [
            # The history of a deleted task can be read by contract: docs/api.md, "Deleting".
            {"include-operation-id": "getTaskHistory", "checks": {"use_after_free": {"enabled": False}}},
            # A task that was just created does not recur.
            *(
                {"include-operation-id": name, "checks": {"ensure_resource_availability": {"enabled": False}}}
                for name in ("getRecurrence", "previewRecurrence", "getSeriesHistory")
            ),
        ],
        "checks": {
            "negative_data_rejection": {"expected-statuses": refused},
            # What is left of the statuses, the check in `strictness` looks at, by their codes.
            "positive_data_acceptance": {
                "expected-statuses": [
                    "2xx",
                    "400",
                    "401",
                    "403",
                    "404",
                    "409",
                    "412",
                    "413",
                    "414",
                    "415",
                    "422",
                    "431",
                ]
            },
        },
    }


@dataclass
class Round:
    """What a round asked, and what it found, each kind of finding once."""

    role: str
    seed: int
    cases: int = 0
    logins: int = 0
    mendings: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    phases: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def play(self, schema: BaseSchema) -> None:
        """Run all phases to their ends."""
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._take(event.recorder, event.phase.value)
            elif isinstance(event, events.NonFatalError):
                self.findings[event.label, event.info.title, ""] = f"{event.label}: {event.info.format()}"

    def _take(self, recorder: ScenarioRecorder, phase: str) -> None:
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is not None and case_id in recorder.cases:
                raw = recorder.cases[case_id].value.operation.definition.raw
                self.cases += 1
                self.phases[phase] += 1
                self.statuses[raw["operationId"]][interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    failure, code = check.failure_info.failure, check.failure_info.code_sample
                    answer = recorder.interactions[case_id].response if case_id in recorder.interactions else None
                    body = answer.content[:600] if answer is not None else None
                    key = (check.name, str(failure.operation), failure.message[:80])
                    text = f"{check.name}: {failure.operation}: {failure.title}\n{failure.message}\n{code}\n{body!r}"
                    self.findings.setdefault(key, re.sub(r"Bearer [\w.-]+", "Bearer $TOKEN", text))

    def result(self) -> dict[str, Any]:
        """The round as a line of results."""
        return {
            "role": self.role,
            "seed": self.seed,
            "cases": self.cases,
            "logins": self.logins,
            "mendings": self.mendings,
            "phases": dict(self.phases),
            "statuses": {name: dict(sorted(counts.items())) for name, counts in sorted(self.statuses.items())},
            "findings": list(self.findings.values()),
        }
