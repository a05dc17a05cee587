"""What docs/features.md shows works as it stands, and so do the examples of OpenAPI."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, Final

from api.contract import examples
from tests.api.cast import cast
from tests.api.described import Described, fresh, right
from tests.house import House

PATIENCE: Final = 120.0
PAGE: Final = Path(__file__).parents[2] / "docs/features.md"
_ROW: Final = re.compile(r"^\| .+? \| (`.+`) \|$", re.MULTILINE)


def calls() -> list[str]:
    """The calls of the page, in order."""
    cells = _ROW.findall(PAGE.read_text())
    return [call for cell in cells for call in re.findall(r"`(.+?)`(?:<br>|$)", cell)]


def script(base: str) -> str:
    """The page as one program, which says before each call what it is."""
    [head] = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    told = [f"cat <<'CALL'\n-- {call}\nCALL\n{call}" for call in calls()]
    return "\n".join([head.replace("http://127.0.0.1:8000", base), *told])


async def test_every_call_of_the_page_works_as_it_stands(house: House, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-o", "pipefail", "-c", script(house.base)), cwd=tmp_path, stdout=file, stderr=file
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    output = said.read_text()
    assert process.returncode == 0, output[-2_000:]
    told = re.split(r"^-- (.+)$", output, flags=re.MULTILINE)
    answers = dict(zip(told[1::2], told[2::2], strict=True))
    assert set(answers) == set(calls())
    for call, answer in answers.items():
        assert _refused(answer) == call.startswith("! "), (call, answer)


def _refused(answer: str) -> bool:
    """Whether a problem document is among the lines."""
    documents = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    return any("code" in document and "request_id" in document for document in documents)


def _shown(call: str) -> tuple[str, str]:
    """The method and the path of a call, with its variables."""
    [url] = re.findall(r"\$(?:API|ROOT)(/[^ '\"?)]*)", call)
    method = re.search(r"-X ([A-Z]+)", call)
    sends = "--json" in call or "-F " in call or "--data-binary" in call
    base = "/api/v1" if "$API" in call else ""
    return method[1] if method else "POST" if sends else "GET", base + url


async def test_every_operation_is_on_the_page(house: House) -> None:
    document = (await house.http.get(f"{house.base}/openapi.json")).json()
    shown = [_shown(call) for call in calls() if "$API" in call or "$ROOT" in call]
    missing = []
    for path, methods in document["paths"].items():
        pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
        for method, operation in methods.items():
            if not any(verb == method.upper() and pattern.fullmatch(url) for verb, url in shown):
                missing.append(operation["operationId"])
    assert missing == []


# What only the server, or an authenticator, can say, or who made it: what is there takes the place of the example.
_SAID: Final = ("refresh_token", "otp", "workflow_id", "position")
BY_MAIL: Final = {"resetPassword", "confirmEmail"}  # their bodies hold what stands in a mail


def _renamed(value: Any, known: dict[str, str]) -> Any:
    """The same, where ids of examples are those of things that are there."""
    if isinstance(value, dict):
        return {name: _renamed(part, known) for name, part in value.items()}
    return known.get(str(value), value)


async def test_the_examples_of_openapi_are_taken_as_they_stand(house: House) -> None:
    document = (await house.http.get(f"{house.base}/openapi.json")).json()
    described = Described(document)
    everybody = await cast(house)
    other = (await everybody["admin"].task("another"))["id"]
    tried = []
    for operation in [one for methods in document["paths"].values() for one in methods.values()]:
        name, content = operation["operationId"], operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content or name in BY_MAIL:
            continue
        people = await fresh(everybody, described.operations[name])
        admin = people["admin"]
        method, path, body = await right(people, described.operations[name])
        said = {**body, "refresh_token": admin.tokens["refresh_token"]}
        known = {examples.ADA: admin.id, examples.OTHER_ID: other}
        example = {
            field: said[field] if field in _SAID else _renamed(value, known)
            for field, value in content["application/json"]["example"].items()
        }
        answer = await admin.call(method, path, example)
        assert answer.is_success, (name, example, answer.text)
        tried.append(name)
    assert len(tried) > 45, tried
