"""The doctor on network, runtime, units and sandbox; and that no check keeps another from it."""

from pathlib import Path

import pytest

from edge_fea.device.doctor import service
from edge_fea.device.doctor.checks import CHECKS, PRIVACY, Check, examine
from edge_fea.device.doctor.findings import Case, State, Verdict, ok
from edge_fea.errors import NetworkInvalid, RuntimeMissing, StoreBusy
from tests.device.doctor_case import Made


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_the_network_that_ships_is_what_its_manifest_says(made: Made) -> None:
    assert service.network(made.case()).state is State.OK


def test_a_network_that_is_not_there_is_named(made: Made, tmp_path: Path) -> None:
    made.settings["vision.network"] = tmp_path / "none.json"
    with pytest.raises(NetworkInvalid):
        service.network(made.case())


def test_the_runtime_computes_what_was_measured(made: Made) -> None:
    told = service.runtime(made.case())
    assert told.state is State.OK
    assert "computes what was measured" in told.what


def test_without_systemd_nothing_is_said_of_units(made: Made) -> None:
    assert service.units(made.case()).state is State.UNKNOWN
    assert service.sandbox(made.case()).state is State.UNKNOWN


def test_a_service_that_runs_is_well(made: Made) -> None:
    made.unit()
    made.answers["systemctl list-units"] = ""
    assert service.units(made.case()) == Verdict(
        State.OK, "edge-fea.service is active (running), 0 restarts since boot"
    )


@pytest.mark.parametrize(
    ("properties", "state", "words"),
    [
        ({"LoadState": "not-found"}, State.WARN, "is not installed"),
        ({"ActiveState": "failed", "Result": "exit-code"}, State.BAD, "last result exit-code"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, State.BAD, "auto-restart"),
        ({"UnitFileState": "disabled"}, State.WARN, "does not start by itself"),
        ({"NRestarts": "7"}, State.WARN, "restarted 7 times"),
    ],
)
def test_a_service_that_does_not_run_as_it_should_is_told(
    made: Made, properties: dict[str, str], state: State, words: str
) -> None:
    made.unit(**properties)
    told = service.units(made.case())
    assert told.state is state
    assert words in told.what
    assert told.todo


def test_a_timer_whose_service_failed_is_named(made: Made) -> None:
    made.unit()
    made.answers["systemctl list-units"] = "edge-fea-backup.service loaded failed failed Backup"
    told = service.units(made.case())
    assert (told.state, told.what) == (State.BAD, "edge-fea-backup.service: failed")


def test_the_doctors_own_failure_does_not_keep_it_failing(made: Made) -> None:
    made.unit()
    made.answers["systemctl list-units"] = "edge-fea-selfcheck.service loaded failed failed Check"
    assert service.units(made.case()).state is State.OK


@pytest.mark.parametrize(
    ("score", "state"), [("1.1", State.OK), ("4.2", State.WARN), ("9.2", State.BAD)]
)
def test_the_sandbox_has_a_score(made: Made, score: str, state: State) -> None:
    made.unit()
    made.answers["systemd-analyze security"] = (
        f"  NAME  DESCRIPTION\n\n→ Overall exposure level for edge-fea.service: {score} OK"
    )
    assert service.sandbox(made.case()).state is state


def test_a_score_that_is_not_given_is_unknown(made: Made) -> None:
    made.unit()
    assert service.sandbox(made.case()).state is State.UNKNOWN


def test_every_check_is_listed_once() -> None:
    for checks in (CHECKS, PRIVACY):
        names = [check.name for check in checks]
        assert len(names) == len(set(names))


def test_the_weekly_check_looks_at_swap_too() -> None:
    assert "swap" in [check.name for check in CHECKS]


def test_every_check_answers_on_an_empty_machine(made: Made) -> None:
    made.record()
    findings = examine(made.case(), (*CHECKS, *PRIVACY))
    assert [finding.name for finding in findings] == [c.name for c in (*CHECKS, *PRIVACY)]


def test_whatever_is_bad_or_warned_of_comes_with_what_to_do(made: Made) -> None:
    for finding in examine(made.case(), (*CHECKS, *PRIVACY)):
        assert finding.state in (State.OK, State.UNKNOWN) or finding.todo, finding


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (PermissionError("/proc/1/fd"), State.UNKNOWN),
        (StoreBusy("in use"), State.UNKNOWN),
        (RuntimeMissing("no TFLite runtime"), State.BAD),
    ],
)
def test_a_check_that_fails_does_not_keep_the_next_from_looking(
    made: Made, error: Exception, state: State
) -> None:
    def broken(_: Case) -> Verdict:
        raise error

    findings = examine(made.case(), [Check("one", broken), Check("two", lambda _: ok("well"))])
    assert [finding.state for finding in findings] == [state, State.OK]
    assert str(error) in findings[0].what
