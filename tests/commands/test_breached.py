"""Passwords that were found in breaches are looked up in a file of any size, and refused."""

import hashlib
from pathlib import Path

import pytest

from api.settings import SettingsError, load
from commands.breached import Breached
from tests.house import SECRET, Database, House, Servers, refused


def hashed(password: str, count: int | None = 3) -> str:
    digest = hashlib.sha1(password.encode()).hexdigest().upper()
    return digest if count is None else f"{digest}:{count}"


def written(folder: Path, lines: list[str], end: str = "\n", last: str = "\n") -> Path:
    path = folder / "breached.txt"
    path.write_text(end.join(sorted(lines)) + last)
    return path


@pytest.mark.parametrize("count", [None, 1, 52_579_852])
@pytest.mark.parametrize(("end", "last"), [("\n", "\n"), ("\n", ""), ("\r\n", "\r\n"), ("\r\n", "")])
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_all_that_stand_in_the_file_are_found_and_no_others(
    tmp_path: Path, size: int, end: str, last: str, count: int | None
) -> None:
    breached = Breached(written(tmp_path, [hashed(f"password {n}", count) for n in range(size)], end, last))
    assert all(f"password {n}" in breached for n in range(size))
    assert not any(f"another {n}" in breached for n in range(size))
    breached.close()


def test_hashes_may_be_in_lower_case(tmp_path: Path) -> None:
    breached = Breached(written(tmp_path, [hashed(f"{n}").lower() for n in range(100)]))
    assert all(f"{n}" in breached for n in range(100))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "password\n" * 100,
        f"{hashed('a')}x\n",
        f"{hashed('a')}\n\n{hashed('b')}\n",
        "\n".join(sorted(hashed(f"{n}") for n in range(100))[::-1]),
        "x" * 100_000,
    ],
)
def test_a_file_of_another_form_stops_the_start_with_a_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "breached.txt"
    path.write_text(text)
    environment = {
        "TASKFOLD_DATABASE_URL": "postgresql://x",
        "TASKFOLD_REDIS_URL": "redis://x",
        "TASKFOLD_SECRET_KEY": SECRET,
    }
    for name in (path, tmp_path / "nothing", tmp_path):
        with pytest.raises(SettingsError, match=r"^TASKFOLD_BREACHED_PASSWORDS: "):
            load({**environment, "TASKFOLD_BREACHED_PASSWORDS": str(name)})


async def test_nobody_gets_a_password_that_was_found_in_a_breach(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    path = written(tmp_path, [hashed(f"breached horse {n}") for n in range(1_000)])
    async with House.open(database, servers, breached_passwords=str(path), projecting=False) as house:
        ada = await house.user()
        body = {"email": "bob@example.com", "display_name": "Bob", "password": "breached horse 7"}
        problem = refused(await house.http.post("/auth/register", json=body), 422, "password.breached")
        assert problem["errors"][0] | {"detail": ""} == {"pointer": "/password", "detail": "", "value": None}
        change = {"current_password": "correct horse", "new_password": "breached horse 999"}
        refused(await ada.post("/auth/password", change), 422, "password.breached")
        assert (await ada.post("/auth/password", {**change, "new_password": "breached horse 1000"})).status_code == 204
