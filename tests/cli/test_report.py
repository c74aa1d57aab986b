"""The command `report`: what it writes, where, and what it puts on record."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_fea.clinic.report.words import CATALOGUES
from edge_fea.config import Settings
from edge_fea.store.audit import AuditTrail
from edge_fea.store.rows import Row
from tests.cli.conftest import Run
from tests.clinic.simulated import Plan, simulate
from tests.clinic.test_report_page import needs_pango

PLAN = Plan(days=4, off_days=(), shift_day=None, turned_days=(), unsynchronized_day=None)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "clips.db"
    simulate(path, plan=PLAN)
    return path


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FEA_DEVICE__TIME_ZONE", "Europe/Berlin")


def trail(database: Path) -> list[Row]:
    """The last two rows."""
    audit = Settings.model_validate({"store": {"database": database}}).store.audit
    return AuditTrail(audit, busy_timeout=1).rows()[-2:]


def test_a_file_is_written_and_put_on_record(run: Run, simulated: Path, tmp_path: Path) -> None:
    done = run("--database", simulated, "report", "--patient", "P07", "-o", tmp_path / "r.html")
    assert done.exit_code == 0
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert "report as html" in done.stderr
    begun, ended = trail(simulated)
    assert [row["outcome"] for row in (begun, ended)] == ["begun", "done"]
    assert (begun["action"], begun["format"]) == ("report", "html")
    assert ended["bytes"] == (tmp_path / "r.html").stat().st_size
    assert ended["sha256"] in done.stderr


def test_without_a_file_the_page_goes_to_standard_output(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report")
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stdout.endswith("</html>")


@needs_pango
def test_a_pdf_is_a_pdf(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--pdf")
    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(b"%PDF-")


def test_a_pdf_is_kept_from_a_terminal(
    run: Run, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    done = run("--database", simulated, "report", "--pdf")
    assert done.exit_code == 2
    assert "give -o FILE.pdf" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--pdf", "-o", "x.html"], "x.html is the name of a page, and --pdf writes a PDF"),
        (["-o", "x.PDF"], "x.PDF is the name of a PDF: give --pdf too"),
    ],
)
def test_a_name_of_the_other_format_is_refused(
    run: Run, simulated: Path, given: list[str], said: str
) -> None:
    done = run("--database", simulated, "report", *given)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not Path(given[-1]).exists()


def test_days_are_local_and_the_last_is_included(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--from", "2026-09-02", "--to", "2026-09-03")
    assert "2 September to 3 September 2026 (2 days)" in done.stdout
    begun, _ = trail(simulated)
    assert (begun["from_utc"], begun["to_utc"]) == (
        "2026-09-01T22:00:00.000Z",
        "2026-09-03T22:00:00.000Z",
    )


def test_moments_are_taken_as_they_are_and_are_local_without_an_offset(
    run: Run, simulated: Path
) -> None:
    span = ("--from", "2026-09-02T06:00", "--to", "2026-09-02T20:00Z")
    assert run("--database", simulated, "report", *span).exit_code == 0
    begun, _ = trail(simulated)
    assert (begun["from_utc"], begun["to_utc"]) == (
        "2026-09-02T04:00:00.000Z",
        "2026-09-02T20:00:00.000Z",
    )


def test_a_period_the_wrong_way_round_is_refused(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--from", "2026-09-03", "--to", "2026-09-02")
    assert done.exit_code == 2
    assert "--from must lie before --to" in done.stderr


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "1815-11-02", "2026-09-02T25:00"])
def test_what_is_no_day_is_refused(run: Run, simulated: Path, day: str) -> None:
    done = run("--database", simulated, "report", "--from", day)
    assert done.exit_code == 2
    assert day in done.stderr


def test_german_when_asked_for(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--language", "de")
    assert "Kein Diagnosegerät" in done.stdout


def test_an_unknown_language_leaves_a_failed_row(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--language", "fr")
    assert done.exit_code == 66
    assert "there are de, en" in done.stderr
    assert [trail(simulated)[1][name] for name in ("outcome", "note")] == [
        "failed",
        "NotFoundError",
    ]


def test_a_catalogue_with_an_open_brace_is_one_line_that_names_it(
    run: Run, simulated: Path, tmp_path: Path
) -> None:
    own = tmp_path / "fr.toml"
    own.write_text((CATALOGUES / "en.toml").read_text().replace("In short", "In {short"))
    done = run("--database", simulated, "report", "--language", own)
    assert done.exit_code == 78
    assert f"catalogue {own}: short.heading must fill in" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_clips_is_said_with_what_to_do(run: Run, simulated: Path) -> None:
    done = run("--database", simulated, "report", "--from", "2030-01-01")
    assert done.exit_code == 66
    assert "no clips in this period: `edge-fea summary --by day`" in done.stderr


def test_two_patients_are_never_in_one_report(run: Run, simulated: Path, tmp_path: Path) -> None:
    both = tmp_path / "clips.db"
    for patient in ("P07", "P08"):
        simulate(both, patient=patient, plan=replace(PLAN, days=1))
    done = run("--database", both, "report")
    assert done.exit_code == 64
    assert "give --patient" in done.stderr
    assert run("--database", both, "report", "--patient", "P08").exit_code == 0


def test_a_file_that_is_there_is_left_as_it_is(run: Run, simulated: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    done = run("--database", simulated, "report", "-o", tmp_path / "r.html")
    assert done.exit_code == 73
    assert (tmp_path / "r.html").read_text() == "mine"
    assert [trail(simulated)[1][name] for name in ("outcome", "note")] == ["failed", "OutputExists"]
