"""Which passwords one may have, and that no other is taken."""

import subprocess
import sys

import pytest
from argon2 import extract_parameters

from commands.passwords import LONGEST, SHORTEST, Passwords, check_password, common_passwords
from domain.errors import Invalid
from tests.domain.given import rejected


def test_the_program_hashes_as_owasp_says_also_for_who_has_no_account() -> None:
    """In a process of its own, for in this one it is made easier."""
    told = "from commands import passwords as p; print(p._HASHER.hash('a password'), p._NOBODY)"
    hashes = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True).stdout.split()
    for parameters in map(extract_parameters, hashes):
        assert parameters.type.name == "ID"
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)
    assert len(hashes) == 2


def test_thousands_of_common_passwords_are_known_that_could_be_chosen() -> None:
    known = common_passwords()
    assert len(known) >= 3_000
    assert {"password", "123456789", "qwertyuiop", "password1", "iloveyou", "sunshine"} <= known
    assert all(SHORTEST <= len(password) <= LONGEST and password == password.casefold() for password in known)


@pytest.mark.parametrize("password", ["password", "PassWord", "PASSWORD1", "1234567890", "Qwertyuiop"])
def test_a_password_that_many_have_is_refused_in_any_case(password: str) -> None:
    with rejected("password.common", Invalid) as refused:
        check_password(password, field="/new_password")
    assert refused.value.extra["errors"][0]["pointer"] == "/new_password"
    assert refused.value.extra["errors"][0]["value"] is None, "what is refused is not repeated"


@pytest.mark.parametrize("password", ["ada.lovelace@example.com", "Ada.Lovelace", "ADA KING NOEL"])
def test_ones_own_names_and_addresses_are_refused(password: str) -> None:
    own = ("ada.lovelace@example.com", "Ada King Noel")
    with rejected("password.common", Invalid):
        check_password(password, own)
    assert check_password(f"{password} 1852", own) == f"{password} 1852"


@pytest.mark.parametrize("password", ["p" * (SHORTEST - 1), "", "p" * (LONGEST + 1)])
def test_a_password_has_a_length(password: str) -> None:
    with rejected("password.length", Invalid):
        check_password(password)


@pytest.mark.parametrize(
    "password", ["x" * 64, "q" * LONGEST, "пароль-пароль", "        !", "\u00fc\u0308\U0001f600 \t\x01abc"]
)
async def test_any_characters_will_do_and_are_taken_as_they_are(password: str) -> None:
    passwords = Passwords(1)
    try:
        kept = await passwords.hash(check_password(password))
        assert await passwords.verify(kept, password)
        assert not await passwords.verify(kept, password + " ")
        assert not await passwords.verify(kept, password[:-1])
        assert not await passwords.verify(None, password)
    finally:
        passwords.close()
