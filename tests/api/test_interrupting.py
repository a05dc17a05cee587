"""Ctrl-C during a start: nothing that Python does with what a signal raises makes it forgotten."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from api.cli.interrupting import SIGNALS, Interrupts


class Loud:
    """Somebody presses Ctrl-C while it goes."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self._number)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_at_once(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_comes_in_a_destructor_is_not_forgotten(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    with Interrupts() as interrupts:
        interrupts.check()
        loud = Loud(number)
        del loud
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert capsys.readouterr() == ("", "")


def test_other_errors_in_destructors_are_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    with Interrupts():
        Broken()
    assert told == [ValueError]
