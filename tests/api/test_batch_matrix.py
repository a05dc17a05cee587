"""The matrix of permissions inside of batches: everybody is answered for each command as they are outside."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from api.batch.types import TYPES, Type
from tests.api.cast import Cast, cast, done
from tests.api.making import Request
from tests.api.matrix import CASES, LOGGED_IN
from tests.house import House


def as_command(kind: Type, request: Request) -> dict[str, Any]:
    """A request to the route of a type, as a command of that type."""
    _, url, body = request
    split = urlsplit(url)
    pattern = re.sub(r"{(\w+)(:path)?}", r"(?P<\1>[^/]+)", kind.path)
    found = re.fullmatch(pattern, split.path)
    assert found is not None, (kind.path, url)
    given = {name: unquote(value) for name, value in found.groupdict().items()}
    target = None if kind.target is None else given.pop(kind.target[0])
    data = {**given, **{name: value == "true" for name, value in parse_qsl(split.query)}, **(body or {})}
    return {"id": "x", "type": kind.name, "target": target, "data": data}


async def judged(people: Cast, persona: str, kind: Type) -> int:
    """What a persona is answered."""
    command = as_command(kind, await CASES[TYPES[kind.name]].make(people, persona))
    answer = await people[persona].post("/commands", {"commands": [command]})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["verdicts"][0]["status"])


async def test_everybody_is_answered_in_a_batch_as_the_matrix_says(house: House) -> None:
    people = await cast(house)
    kinds: dict[str, Type] = house.app.state.types
    wrong = {}
    for name, operation in TYPES.items():
        await done(people["admin"].post(f"/projects/{people.project}/restore"))
        expected = {persona: CASES[operation].verdicts[persona] for persona in LOGGED_IN}
        answered = {persona: await judged(people, persona, kinds[name]) for persona in LOGGED_IN}
        if answered != expected:
            wrong[name] = (answered, expected)
    assert wrong == {}
