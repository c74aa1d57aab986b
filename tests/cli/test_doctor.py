"""doctor: a page for people, JSON for programs, an exit code for scripts."""

import json
from pathlib import Path

import pytest

from edge_fea.cli import doctor as module
from edge_fea.device.doctor.checks import CHECKS, PRIVACY, Check
from edge_fea.device.doctor.findings import bad, ok, unknown, warn
from tests.cli.conftest import Run


def checks(monkeypatch: pytest.MonkeyPatch, *verdicts: object) -> None:
    made = tuple(
        Check(f"check {place}", lambda _, told=told: told)  # type: ignore[misc]
        for place, told in enumerate(verdicts)
    )
    monkeypatch.setattr(module, "CHECKS", made)
    monkeypatch.setattr(module, "PRIVACY", made)


def test_one_line_a_check_and_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, ok("well"), warn("nearly", "see to it"))
    done = run("doctor")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:3] == [
        "OK  check 0  well",
        "!!  check 1  nearly",
        "             -> see to it",
    ]


def test_what_failed_is_named_on_the_last_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, ok("well"), bad("broken", "mend it"), bad("dead", "bury it"))
    done = run("doctor")
    assert (done.exit_code, done.stderr) == (71, "edge-fea: not well: check 1, check 2\n")


@pytest.mark.parametrize(("option", "code"), [([], 0), (["--privacy"], 71)])
def test_what_could_not_be_found_out_is_no_proof(
    run: Run, monkeypatch: pytest.MonkeyPatch, option: list[str], code: int
) -> None:
    checks(monkeypatch, ok("well"), unknown("hidden", "ask as root"))
    assert run("doctor", *option).exit_code == code


def test_json_says_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, ok("well"), bad("broken", "mend it"))
    done = run("doctor", "--json")
    assert done.exit_code == 71
    report = json.loads(done.stdout)
    assert report["findings"][1] == {
        "name": "check 1",
        "state": "bad",
        "what": "broken",
        "todo": "mend it",
    }
    assert report["not_proved"] == []
    assert {"device_id", "app_version", "at_utc"} <= set(report)


def test_the_privacy_page_says_what_it_cannot_prove(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks(monkeypatch, ok("well"))
    assert "What this cannot prove:\n- " in run("doctor", "--privacy").stdout
    assert json.loads(run("doctor", "--privacy", "--json").stdout)["not_proved"]


def test_on_a_machine_without_a_camera_every_check_has_its_line(run: Run, database: Path) -> None:
    done = run("--database", database, "doctor")
    shown = [
        line[4:].split("  ")[0].strip() for line in done.stdout.splitlines() if line[:2].strip()
    ]
    assert shown[: len(CHECKS)] == [check.name for check in CHECKS]
    assert done.exit_code == 71
    assert "camera" in done.stderr


def test_nothing_recording_is_no_proof_of_privacy(run: Run, database: Path) -> None:
    done = run("--database", database, "doctor", "--privacy", "--full")
    assert done.exit_code == 71
    assert all(check.name in done.stdout for check in PRIVACY)
