"""What a report finds in clips: numbers that add up, and no figure where there is too little."""

import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from edge_fea.clinic.report.compare import LATEST_DAYS, Against, Verdict
from edge_fea.clinic.report.findings import LEAST_DAYS, Findings, findings
from edge_fea.clinic.report.notable import Reason
from edge_fea.clinic.selection import Selection
from edge_fea.emotions import LABELS
from edge_fea.errors import NotFoundError, UnclearError
from edge_fea.store.clips import ClipFilter, ClipReader
from tests.clinic.simulated import FIRST_DAY, Plan, simulate

MADE = datetime(2026, 12, 1, 8, tzinfo=UTC)
CALM = Plan(days=30, shift_day=None, off_days=(19,), turned_days=(), unsynchronized_day=None)


ALL = ClipFilter()


def found_in(path: Path, wanted: ClipFilter = ALL, made: datetime = MADE) -> Findings:
    with ClipReader(path, busy_timeout=1) as reader:
        return findings(Selection(reader, wanted), made=made)


def changed(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety days with gaps, a change for good, and the end of summer time."""
    path = tmp_path_factory.mktemp("findings") / "clips.db"
    simulate(path)
    return path


@pytest.fixture(scope="module")
def calm_month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty days that are all alike."""
    path = tmp_path_factory.mktemp("calm") / "clips.db"
    simulate(path, plan=CALM)
    return path


@pytest.fixture
def calm(calm_month: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copy(calm_month, tmp_path))


@pytest.fixture(scope="module")
def ninety(database: Path) -> Findings:
    return found_in(database)


class TestHowMuchWasSeen:
    def test_the_time_of_the_period_adds_up(self, ninety: Findings) -> None:
        coverage = ninety.coverage
        unseen = sum(coverage.unseen_s.values())
        assert coverage.seen_s + unseen == pytest.approx(coverage.recorded_s)
        assert coverage.recorded_s + coverage.off_s == pytest.approx(coverage.period_s)
        assert sum(day.recorded_h for day in coverage.days) == pytest.approx(
            coverage.recorded_s / 3600
        )

    def test_the_hour_that_clocks_repeat_is_no_gap_and_closes_none(self, ninety: Findings) -> None:
        # Off on four whole days, none of them with a change of clocks.
        assert ninety.coverage.off_s == pytest.approx(4 * 24 * 3600)

    def test_every_day_is_there_whether_seen_or_not(self, ninety: Findings) -> None:
        days = [day.day for day in ninety.coverage.days]
        assert days == [FIRST_DAY + timedelta(days=number) for number in range(90)]
        off = [day.day for day in ninety.coverage.days if day.recorded_h == 0]
        assert off == [FIRST_DAY + timedelta(days=number) for number in (19, 20, 21, 47)]

    def test_the_day_on_which_clocks_go_back_has_25_hours(self, ninety: Findings) -> None:
        days = {day.day: day for day in ninety.coverage.days}
        assert {day.length_h for day in days.values()} == {24.0, 25.0}
        assert days[date(2026, 10, 25)].length_h == 25.0
        assert days[date(2026, 10, 25)].recorded_h == 25.0

    def test_days_that_were_asked_for_and_hold_nothing_are_shown(self, database: Path) -> None:
        start, end = datetime(2026, 9, 19, 22, tzinfo=UTC), datetime(2026, 9, 23, 22, tzinfo=UTC)
        found = found_in(database, ClipFilter(start, end))
        assert [day.recorded_h > 0 for day in found.coverage.days] == [False] * 3 + [True]
        assert found.nothing_before is None

    def test_days_before_the_first_clip_ever_are_no_gap(self, database: Path) -> None:
        found = found_in(database, ClipFilter(start=datetime(2020, 1, 1, tzinfo=UTC)))
        assert found.nothing_before == FIRST_DAY
        assert found.coverage == found_in(database).coverage

    def test_the_clips_of_a_clock_that_was_never_set_are_no_beginning(self, calm: Path) -> None:
        changed(
            calm,
            "UPDATE clips SET start_utc = '1970-01-01T00:00:00.000Z', clock_synchronized = 0 "
            "WHERE rowid = 1",
        )
        found = found_in(calm, ClipFilter(start=datetime(2020, 1, 1, tzinfo=UTC)))
        assert found.nothing_before == FIRST_DAY

    def test_the_future_is_no_gap(self, database: Path) -> None:
        wanted = ClipFilter(datetime(2026, 11, 25, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))
        made = datetime(2026, 11, 30, tzinfo=UTC)
        assert found_in(database, wanted, made).coverage.days[-1].day <= date(2026, 11, 30)


class TestReadings:
    def test_means_of_the_labels_add_up_to_one(self, ninety: Findings) -> None:
        means = [ninety.period[f"mean_{label}"] for label in LABELS]
        assert sum(value.mean for value in means) == pytest.approx(1.0)
        for value in means:
            assert value.low is not None
            assert value.high is not None
            assert value.low < value.mean < value.high

    def test_two_days_have_means_and_no_interval(self, tmp_path: Path) -> None:
        simulate(tmp_path / "clips.db", plan=replace(CALM, days=2))
        found = found_in(tmp_path / "clips.db")
        assert {value.low for value in found.period.values()} == {None}
        assert all(hour.figures is None for hour in found.hours)
        assert set(found.trends.values()) == {None}
        assert found.contrast is None
        assert {change.verdict for change in found.comparison.changes} == {Verdict.FEW}

    def test_where_nothing_was_seen_there_is_no_figure(self, tmp_path: Path) -> None:
        simulate(tmp_path / "clips.db", plan=replace(CALM, days=5, seen=0.0))
        changed(tmp_path / "clips.db", "DELETE FROM clips WHERE sufficient = 1")
        found = found_in(tmp_path / "clips.db")
        assert found.period == {}
        assert found.scored_clips == 0
        assert found.notable == []
        assert found.coverage.mean_seen_h is None
        assert all(week.figures == {} for week in found.weeks)

    def test_an_hour_needs_three_days(self, ninety: Findings) -> None:
        for hour in ninety.hours:
            assert (hour.figures is not None) == (hour.days >= LEAST_DAYS)

    def test_an_unset_clock_tells_no_hour(self, tmp_path: Path) -> None:
        simulate(tmp_path / "clips.db", plan=replace(CALM, days=10, unsynchronized_day=4))
        with_it = found_in(tmp_path / "clips.db")
        assert with_it.coverage.unsynchronized_clips == 72
        assert [day.uncertain for day in with_it.coverage.days].count(True) == 1
        changed(tmp_path / "clips.db", "DELETE FROM clips WHERE clock_synchronized = 0")
        assert found_in(tmp_path / "clips.db").hours == with_it.hours

    def test_a_clock_that_was_set_later_counts_as_right(self, tmp_path: Path) -> None:
        path = tmp_path / "clips.db"
        simulate(path, plan=replace(CALM, days=3))
        changed(
            path,
            "UPDATE clips SET corrected_start_utc = start_utc, corrected_utc_offset = utc_offset, "
            "start_utc = '1970-01-01T00:00:00.000Z', clock_synchronized = 0",
        )
        found = found_in(path)
        assert found.coverage.unsynchronized_clips == 0
        assert found.coverage.days[0].day == FIRST_DAY

    def test_a_date_beyond_belief_is_on_no_day(self, tmp_path: Path) -> None:
        path = tmp_path / "clips.db"
        simulate(path, plan=replace(CALM, days=3))
        changed(
            path,
            "UPDATE clips SET start_utc = '1970-01-01T00:00:00.000Z', clock_synchronized = 0 "
            "WHERE rowid = 1",
        )
        found = found_in(path)
        assert found.coverage.undated_clips == 1
        assert found.coverage.days[0].day == FIRST_DAY


class TestWhatMustNotBeMixed:
    def test_two_patients_are_refused(self, tmp_path: Path) -> None:
        for patient in ("P07", "P08"):
            simulate(tmp_path / "clips.db", patient=patient, plan=replace(CALM, days=1))
        with pytest.raises(UnclearError, match="2 patients"):
            found_in(tmp_path / "clips.db")
        assert found_in(tmp_path / "clips.db", ClipFilter(patient="P08")).patient == "P08"

    def test_no_clip_says_so(self, database: Path) -> None:
        with pytest.raises(NotFoundError, match="no clips of patient P99"):
            found_in(database, ClipFilter(patient="P99"))

    def test_readings_are_of_the_latest_network_and_coverage_of_all(self, tmp_path: Path) -> None:
        path, alone = tmp_path / "clips.db", tmp_path / "alone.db"
        later = replace(CALM, days=8, first_day=FIRST_DAY + timedelta(days=6))
        simulate(path, plan=replace(CALM, days=6), network="ab" * 32)
        simulate(path, plan=later, seed=2)
        simulate(alone, plan=later, seed=2)
        both, latest = found_in(path), found_in(alone)
        assert len(both.networks) == 2
        assert both.period == latest.period
        assert both.hours[15].figures == latest.hours[15].figures
        assert both.bands == latest.bands
        assert both.coverage.recorded_s > latest.coverage.recorded_s


class TestWhatChanged:
    def test_a_change_for_good_is_found(self, ninety: Findings) -> None:
        comparison = ninety.comparison
        assert comparison.against is Against.BASELINE
        assert comparison.before[0].day == FIRST_DAY
        assert len(comparison.after) == LATEST_DAYS
        verdicts = {change.figure: change.verdict for change in comparison.changes}
        assert verdicts == {
            "negative_mean": Verdict.HIGHER,
            "expressivity_mean": Verdict.LOWER,
            "mean_happy": Verdict.LOWER,
            "motion_energy": Verdict.LOWER,
            "seen_h": Verdict.SAME,
        }

    def test_nothing_is_made_of_days_like_the_others(self, calm: Path) -> None:
        found = found_in(calm)
        assert {change.verdict for change in found.comparison.changes} == {Verdict.SAME}

    def test_without_a_baseline_the_days_before_are_compared(self, tmp_path: Path) -> None:
        simulate(tmp_path / "clips.db", plan=CALM, rule=None)
        comparison = found_in(tmp_path / "clips.db").comparison
        assert comparison.against is Against.BEFORE
        assert comparison.before[-1].day < comparison.after[0].day

    def test_a_frozen_baseline_goes_above_others(self, calm: Path) -> None:
        changed(calm, "UPDATE baselines SET frozen = 1 WHERE baseline_id = 18")
        comparison = found_in(calm).comparison
        assert comparison.against is Against.FROZEN
        assert comparison.before[0].day > FIRST_DAY

    def test_the_baseline_that_held_when_the_period_began_is_taken(self, calm: Path) -> None:
        wanted = ClipFilter(start=datetime(2026, 9, 21, tzinfo=UTC))
        comparison = found_in(calm, wanted).comparison
        assert comparison.against is Against.BASELINE
        assert comparison.before[-1].day < date(2026, 9, 21)

    def test_the_last_week_shows_what_changed_a_month_ago_against_the_first_baseline(
        self, database: Path
    ) -> None:
        """By then the change has become usual."""
        found = found_in(database, ClipFilter(start=datetime(2026, 11, 22, 23, tzinfo=UTC)))
        assert found.comparison.of("expressivity_mean").verdict is Verdict.SAME
        first = found.compared.first
        assert first is not None
        assert first.against is Against.FIRST
        assert first.before[0].day == FIRST_DAY
        assert first.of("expressivity_mean").verdict is Verdict.LOWER

    def test_the_first_baseline_is_told_once_where_it_is_the_usual_one(
        self, ninety: Findings, calm: Path
    ) -> None:
        assert ninety.compared.first is None
        changed(calm, "UPDATE baselines SET frozen = 1 WHERE baseline_id = 18")
        assert found_in(calm).compared.first is None

    def test_a_first_baseline_whose_days_are_erased_is_said_to_be_gone(
        self, database: Path, tmp_path: Path
    ) -> None:
        path = Path(shutil.copy(database, tmp_path))
        changed(path, "DELETE FROM clips WHERE start_utc < '2026-10-01'")
        found = found_in(path, ClipFilter(start=datetime(2026, 11, 22, 23, tzinfo=UTC)))
        assert found.compared.first is None
        assert found.compared.first_gone == FIRST_DAY

    def test_where_the_baselines_clips_are_gone_the_days_before_stand_for_it(
        self, calm: Path
    ) -> None:
        changed(calm, "DELETE FROM clips WHERE start_utc < '2026-09-15'")
        comparison = found_in(calm).comparison
        assert comparison.against is Against.BEFORE

    def test_days_of_long_ago_are_not_the_latest(self, tmp_path: Path) -> None:
        simulate(tmp_path / "clips.db", plan=replace(CALM, off_days=tuple(range(10, 29))))
        comparison = found_in(tmp_path / "clips.db").comparison
        assert len(comparison.after) == 1
        assert {change.verdict for change in comparison.changes} == {Verdict.FEW}


def test_notable_clips_are_of_different_days_for_each_reason(ninety: Findings) -> None:
    assert 0 < len(ninety.notable) <= 8
    kinds = [(reason, clip.start.date()) for clip in ninety.notable for reason in clip.reasons]
    assert len(kinds) == 8
    assert len(kinds) == len(set(kinds))
    assert all(clip.compared for clip in ninety.notable)
    assert [clip.start for clip in ninety.notable] == sorted(clip.start for clip in ninety.notable)


def test_a_clip_may_stand_out_for_two_reasons(calm: Path) -> None:
    changed(
        calm,
        "UPDATE clips SET z_negative_mean = 50, z_expressivity_mean = 50, negative_n_eff = 99, "
        "expressivity_n_eff = 99 WHERE rowid = (SELECT max(rowid) FROM clips WHERE sufficient = 1)",
    )
    last = found_in(calm).notable[-1]
    assert list(last.reasons) == [Reason.NEGATIVE, Reason.LIVELY]
    assert last.baseline is not None


def test_each_sufficient_clip_is_in_one_band_of_each_label(ninety: Findings) -> None:
    assert {sum(bands.values()) for bands in ninety.bands.values()} == {ninety.scored_clips}
