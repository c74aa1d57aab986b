"""Turns: so many at a time, a wait that ends, and nothing that stays behind."""

import subprocess
import sys
import uuid
from contextlib import ExitStack

import pytest

from edge_fea.clinic.turns import turn
from tests.conftest import FakeClock


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def test_there_are_as_many_turns_as_places(name: str, clock: FakeClock) -> None:
    with ExitStack() as stack:
        found = [stack.enter_context(turn(name, 2, clock, 5)) for _ in range(3)]
    assert found == [True, True, False]
    assert sum(clock.slept) == pytest.approx(5, abs=0.3)


def test_a_turn_that_is_over_is_free_for_the_next(name: str, clock: FakeClock) -> None:
    for _ in range(3):
        with turn(name, 1, clock, 0) as mine:
            assert mine
    assert clock.slept == []


def test_a_turn_ends_with_its_error(name: str, clock: FakeClock) -> None:
    with pytest.raises(KeyError), turn(name, 1, clock, 0):
        raise KeyError
    with turn(name, 1, clock, 0) as mine:
        assert mine


def test_who_waits_gets_the_place_that_comes_free(name: str, clock: FakeClock) -> None:
    first = ExitStack()
    first.enter_context(turn(name, 1, clock, 0))
    clock.sleep = lambda seconds: first.close()  # type: ignore[method-assign]
    with turn(name, 1, clock, 5) as mine:
        assert mine


def test_a_killed_process_leaves_its_place_free(name: str, clock: FakeClock) -> None:
    script = (
        "import os, signal; from edge_fea.clinic.turns import turn; "
        "from edge_fea.capture.clock import SystemClock\n"
        f"with turn({name!r}, 1, SystemClock(), 0) as mine:\n"
        "    assert mine; os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    with turn(name, 1, clock, 0) as mine:
        assert mine
