"""clips and show: every format, every filter, and databases that are empty or not there."""

import csv
import io
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_fea.capture.clock import local
from edge_fea.cli.formats import clip_line, echo_clips
from edge_fea.store.rows import Row, row_of
from edge_fea.vision.observation import Outcome
from tests.cli.conftest import CLIPS, Run
from tests.store.clip_factory import make_clip

ENDED = [row_of(clip) for clip in CLIPS[:3]]
RUNNING = row_of(CLIPS[3])


def listed(run: Run, database: Path, *options: object) -> list[str]:
    done = run("--database", database, "clips", "--format", "json", *options)
    assert done.exit_code == 0, done.stderr
    return [row["clip_id"] for row in json.loads(done.stdout)]


def ids(*places: int) -> list[str]:
    return [CLIPS[place].clip_id for place in places]


def test_json_holds_every_column_and_nulls_as_null(run: Run, database: Path) -> None:
    done = run("--database", database, "clips", "--format", "json")
    assert json.loads(done.stdout) == ENDED


def test_csv_holds_every_column_and_nulls_as_nothing(run: Run, database: Path) -> None:
    done = run("--database", database, "clips", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["clip_id"] for row in rows] == ids(0, 1, 2)
    assert set(rows[0]) == set(ENDED[0])
    assert (rows[2]["dominant"], rows[2]["mean_happy"], rows[2]["sufficient"]) == ("", "", "0")
    assert float(rows[0]["mean_happy"]) == ENDED[0]["mean_happy"]


def test_json_is_what_one_call_for_all_clips_would_print(run: Run, database: Path) -> None:
    done = run("--database", database, "clips", "--format", "json")
    assert done.stdout == json.dumps(json.loads(done.stdout), indent=1) + "\n"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_years_clips_are_printed_and_let_go_of_one_by_one(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    class Counted(dict[str, object]):
        """A row that tells whether it is still in memory."""

    given: list[weakref.ref[Counted]] = []
    most = 0

    def rows() -> Iterator[Row]:
        nonlocal most
        for _ in range(50):
            row = Counted(ENDED[0])
            given.append(weakref.ref(row))
            most = max(most, sum(each() is not None for each in given))
            yield row

    echo_clips(rows(), form)
    assert most <= 3
    assert capsys.readouterr().out.count(CLIPS[0].clip_id) == 50


def test_the_table_has_a_line_a_clip_in_the_patients_time(run: Run, database: Path) -> None:
    lines = run("--database", database, "clips").stdout.splitlines()
    assert len(lines) == 2 + 3
    assert CLIPS[0].clip_id in lines[2]
    assert "2026-11-22 13:00:00 +0100" in lines[2]
    assert "80%" in lines[2]
    assert "happy 0.70" in lines[2]
    assert "sad 0.70" in lines[3]
    assert "not seen enough" in lines[4]


@pytest.mark.parametrize(("form", "text"), [("table", "no clips\n"), ("json", "[]\n")])
def test_an_empty_database_has_no_clips(run: Run, empty: Path, form: str, text: str) -> None:
    done = run("--database", empty, "clips", "--format", form)
    assert (done.exit_code, done.stdout, done.stderr) == (0, text, "")


def test_csv_of_an_empty_database_still_names_the_columns(run: Run, empty: Path) -> None:
    done = run("--database", empty, "clips", "--format", "csv")
    assert done.exit_code == 0
    assert set(done.stdout.rstrip().split(",")) == set(ENDED[0])


@pytest.mark.parametrize("command", [("clips",), ("show", "last")])
def test_a_database_that_is_not_there_is_not_found_and_not_made(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = run("--database", tmp_path / "none.db", *command)
    assert done.exit_code == 66
    assert done.stderr == (
        f"edge-fea: no database {tmp_path / 'none.db'}: nothing has been recorded there\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("clips",), ("show", "last")])
def test_a_file_that_is_no_database_is_damaged(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "a.db").write_bytes(b"no database " * 999)
    done = run("--database", tmp_path / "a.db", *command)
    assert done.exit_code == 74
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("clips",), ("show", "last")])
def test_an_empty_file_is_told_as_a_database_without_clips(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "a.db").touch()
    done = run("--database", tmp_path / "a.db", *command)
    assert done.exit_code == 66
    assert "nothing has been recorded there" in done.stderr


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ((), (0, 1, 2)),
        (("--running",), (0, 1, 2, 3)),
        (("--patient", "P08"), (1,)),
        (("--sufficient",), (0, 1)),
        (("--insufficient",), (2,)),
        (("--limit", 1), (2,)),
        (("--limit", 1, "--running"), (3,)),
        (("--from", "2026-11-22T12:05"), (1, 2)),
        (("--to", "2026-11-22T12:05"), (0,)),
        (("--from", "2026-11-22T13:05+01:00", "--to", "2026-11-22T13:10+01:00"), (1,)),
        (("--from", "2026-11-23"), ()),
        (("--from", "2026-11-22", "--to", "2026-11-22"), (0, 1, 2)),
        (("--to", "2026-11-21"), ()),
        # Without hyphens it is the same day, to its end.
        (("--to", "20261122"), (0, 1, 2)),
    ],
)
def test_each_filter_leaves_the_clips_that_it_names(
    run: Run, database: Path, options: tuple[object, ...], places: tuple[int, ...]
) -> None:
    assert listed(run, database, *options) == ids(*places)


@pytest.mark.parametrize(
    ("zone", "day", "places"),
    [
        # The clips begin at 12:00, 12:05 and 12:10 in UTC: there it is past midnight already.
        ("Pacific/Kiritimati", "2026-11-23", (0, 1, 2)),
        ("Pacific/Kiritimati", "2026-11-22", ()),
        ("Europe/Berlin", "2026-11-22", (0, 1, 2)),
    ],
)
def test_a_day_is_one_of_the_patients_time_zone(
    run: Run,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    day: str,
    places: tuple[int, ...],
) -> None:
    monkeypatch.setenv("EDGE_FEA_DEVICE__TIME_ZONE", zone)
    assert listed(run, database, "--from", day, "--to", day) == ids(*places)


@pytest.mark.parametrize("moment", ["yesterday", "22.11.2026", "0001-01-01T00:00+14:00"])
def test_what_is_no_day_is_a_wrong_command_line(run: Run, database: Path, moment: str) -> None:
    done = run("--database", database, "clips", "--from", moment)
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert "is no day such as" in told or "must lie between 1970 and 2200" in told


@pytest.mark.parametrize("limit", ["0", "-1", "many", "99999999999999999999"])
def test_a_limit_is_at_least_one_and_a_number_that_sqlite_can_count_to(
    run: Run, database: Path, limit: str
) -> None:
    assert run("--database", database, "clips", "--limit", limit).exit_code == 2


def test_show_takes_the_beginning_of_an_id(run: Run, database: Path) -> None:
    done = run("--database", database, "show", CLIPS[0].clip_id)
    assert done.stdout.startswith(f"clip {CLIPS[0].clip_id}\n")


def test_show_last_is_the_running_clip(run: Run, database: Path) -> None:
    text = run("--database", database, "show", "last").stdout
    assert text.startswith(f"clip {CLIPS[3].clip_id}\n")
    assert "ended by (running)" in text


def test_show_tells_a_clip_on_a_page(run: Run, database: Path) -> None:
    text = run("--database", database, "show", CLIPS[0].clip_id).stdout
    assert "2026-11-22 13:00:00 +0100 Europe/Berlin, 300 s, ended by full\n" in text
    assert "patient P07, device efea-test, network abababababab, edge-fea 0.1.0" in text
    assert "seen 240 of 300 s (80%): enough for scores" in text
    assert "300 frames due:" in text
    assert "   240  valid           the patient's face was read" in text
    assert "    60  no_face         no face in sight" in text
    assert "happy 0.70, 0.65 ahead of the next" in text
    assert "    happy     0.700 " in text


def test_show_leaves_out_outcomes_that_did_not_occur(run: Run, database: Path) -> None:
    text = run("--database", database, "show", CLIPS[0].clip_id).stdout
    assert [str(outcome) for outcome in Outcome if f"  {outcome} " in text] == ["valid", "no_face"]


def test_show_gives_no_scores_for_a_clip_not_seen_enough(run: Run, database: Path) -> None:
    text = run("--database", database, "show", CLIPS[2].clip_id).stdout
    assert "seen 10 of 300 s (3%): not enough for scores" in text
    assert "ahead of the next" not in text
    assert "happy" not in text


def test_show_says_that_the_clock_may_have_been_wrong(run: Run, database: Path) -> None:
    assert "clock was not synchronized" in run("--database", database, "show", ids(2)[0]).stdout
    assert "synchronized" not in run("--database", database, "show", ids(0)[0]).stdout


def test_show_as_json_is_the_row(run: Run, database: Path) -> None:
    done = run("--database", database, "show", "last", "--format", "json")
    assert json.loads(done.stdout) == RUNNING


@pytest.mark.parametrize(("name", "reason"), [("fff", "no clip 'fff'"), ("0", "several clips")])
def test_show_refuses_what_is_not_one_clip(
    run: Run, database: Path, name: str, reason: str
) -> None:
    done = run("--database", database, "show", name)
    assert done.exit_code == 66
    assert done.stderr.startswith(f"edge-fea: {reason}")


def test_the_database_may_come_from_the_settings(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_STORE__DATABASE", str(database))
    assert ids(0)[0] in run("clips").stdout


@pytest.mark.parametrize(
    ("offset", "text"), [("+05:30", "17:30:00 +0530"), ("-03:30", "08:30:00 -0330")]
)
def test_local_time_follows_the_clips_own_offset(offset: str, text: str) -> None:
    assert f"{local(ENDED[0]['start_utc'], offset):%H:%M:%S %z}" == text


def test_a_clip_is_one_line_in_the_log() -> None:
    name = make_clip().clip_id
    assert clip_line(row_of(make_clip())) == f"clip {name} full: 300 s, seen 80%, happy 0.70"
    assert clip_line(row_of(make_clip(ended_by=None))).startswith(f"clip {name} running: ")
