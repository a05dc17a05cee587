"""How long a refused login takes says nothing about whether there is such an account.

Two runs of the same thing differ by noise; an unknown account and a wrong password may differ by no more. The limit is
taken from the runs themselves, so that a slow machine does not fail it.
"""

import sys
from statistics import median
from time import perf_counter

import pytest

from tests.api.defence.asking import PROXIED, address, email, log_in, register
from tests.house import Database, House, Servers

ROUNDS = 200


@pytest.mark.faults
async def test_an_unknown_account_takes_as_long_as_a_wrong_password(
    database: Database, servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    async with House.open(database, servers, **PROXIED) as house:
        known = email()
        await register(house, known, address())
        cases = {"wrong": lambda: known, "wrong again": lambda: known, "unknown": email}
        took: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):  # in turns, so that what disturbs the machine disturbs all of them
            for name, who in cases.items():
                began = perf_counter()
                assert (await log_in(house, who(), address(), "wrong")).status_code == 401
                took[name].append(perf_counter() - began)
    wrong, again, unknown = (median(took[name]) for name in cases)
    spread = median(abs(one - wrong) for one in took["wrong"])
    noise = max(abs(wrong - again), 3 * spread / ROUNDS**0.5)
    medians = f"{wrong=:.6f} {again=:.6f} {unknown=:.6f} {noise=:.6f} s"
    with capsys.disabled():
        sys.stdout.write(f"\nmedians of {ROUNDS}: {medians}\n")
    assert abs(unknown - (wrong + again) / 2) <= noise, medians
