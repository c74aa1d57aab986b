"""The table of clip summaries: written by the recorder, read by everybody else."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_fea.capture.clock import parse_iso
from edge_fea.errors import NotFoundError
from edge_fea.store.baselines import Baselines
from edge_fea.store.clip_filter import ClipFilter
from edge_fea.store.database import Opened, open_for_recording, writing
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.hours import ClipsOfHour, hours_of
from edge_fea.store.moments import HAPPENED, Moments, happened, is_doubtful
from edge_fea.store.order import complete_to, last_place
from edge_fea.store.patients import Erasures, Stays
from edge_fea.store.reading import Reading
from edge_fea.store.retention import Retention
from edge_fea.store.rows import Row, row_of
from edge_fea.store.series import SecondSeries
from edge_fea.store.snapshot import copy_selected
from edge_fea.summary.baseline import DEFAULT_RULE, BaselineRule
from edge_fea.summary.record import ClipSummary, EndedBy

__all__ = ["ClipFilter", "ClipReader", "ClipRecorder"]

_ALL = ClipFilter()


class ClipRecorder:
    """Writes clips. A clip that a former process left running is closed at once, as power_loss.

    The running clip's row is written at every checkpoint with the figures until then, and with
    ``ended_by`` null; so whatever happens, what the last checkpoint said stands in the database.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout: float,
        now: datetime,
        rule: BaselineRule = DEFAULT_RULE,
        keep_series: bool = False,
        series_days: int = 90,
    ) -> None:
        self.path = path
        self.opened: Opened = open_for_recording(path, busy_timeout=busy_timeout, now=now)
        self._db = self.opened.db
        self._clips = self._db.table("clips")
        self._baselines = Baselines(self._db, rule)
        self._stays = Stays(self._db)
        self._erasures = Erasures(self._db)
        self.retention = Retention(self._db, path)
        self._moments = Moments(self._db)
        self._keep_series = keep_series
        self._series = SecondSeries(self._db, self.retention, series_days)
        self._version = -1
        self._present: str | None = None
        try:
            with translated(path), writing(self._db):
                self._erasures.forget()
                self._erased_before = self._erasures.last()
            self.closed_after_power_loss = self._close_left_open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def save(self, clip: ClipSummary) -> bool:
        """Write a clip, running or ended, in one transaction. Saving it again replaces it.

        An ended clip may bring the day's new baseline with it, for the clips after it. False, and
        nothing is written, where the clip's patient was erased after the clip had begun.
        """
        with translated(self.path), writing(self._db):
            if self._erasures.forbid(clip, self._erased_before):
                return False
            self._moments.catch_up(clip.recording.boot_id)
            row = row_of(clip)
            row |= self._moments.correction(row)
            row |= self._baselines.scores_for(row)
            self._clips.upsert(row, pk="clip_id")
            if self._keep_series:
                self._series.save(clip)
            if clip.ended_by is not None:
                end = happened(row) + timedelta(seconds=clip.figures.duration_s)
                self._baselines.update_daily(row["patient"], row["model_sha256"], end)
                self._series.drop_old(row, end, doubtful=is_doubtful(row))
        return True

    def patient_present(self) -> str | None:
        """Whose clips are recorded now: see ``Stays.assigned``.

        Cheap enough to ask at each frame: the table is read again only when another process has
        written to the database.
        """
        with translated(self.path):
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._version, self._present = version, self._stays.assigned()
        return self._present

    def last_known(self, boot_id: str) -> datetime | None:
        """A moment before this boot that wall time had surely reached: ``Moments.last_known``."""
        with translated(self.path):
            return self._moments.last_known(boot_id)

    def synchronized(self, boot_id: str, zero: datetime) -> None:
        """Wall time is right: in this boot the monotonic clock stood at 0 at ``zero``.

        From the next clip that is saved on, clips of this boot that began before are corrected.
        """
        self._moments.synchronized(boot_id, zero)

    def network_before(self, patient: str, model_sha256: str, now: datetime) -> str | None:
        """The network whose baseline no longer holds, where the network has changed since.

        Its SHA-256; None where this network has a baseline of its own, or there never was another.
        """
        with translated(self.path):
            if self._baselines.holding(patient, model_sha256, now) is not None:
                return None
            former = self._baselines.former_network(patient, model_sha256)
        return str(former["model_sha256"]) if former else None

    def close(self) -> None:
        """Close the database and let another process record."""
        with translated(self.path):
            self.opened.db.conn.close()
        self.opened.lock.release()

    def _close_left_open(self) -> list[str]:
        with translated(self.path):
            left = [row["clip_id"] for row in self._clips.rows_where("ended_by IS NULL")]
            for clip_id in left:
                self._clips.update(clip_id, {"ended_by": EndedBy.POWER_LOSS})
        return left


class ClipReader(Reading):
    """Reads clips, while another process records or not."""

    def clips(self, wanted: ClipFilter, limit: int | None = None) -> Iterator[Row]:
        """The wanted clips by start; with ``limit`` the latest so many."""
        condition, values = wanted.where()
        sql = f"SELECT * FROM clips WHERE {condition} ORDER BY {HAPPENED}, clip_id"  # noqa: S608
        if limit is not None:
            # Only here: sorting whole rows of a year a second time spills into a temporary file.
            sql = (
                f"SELECT * FROM (SELECT * FROM clips WHERE {condition} "  # noqa: S608
                f"ORDER BY {HAPPENED} DESC, clip_id DESC LIMIT :limit) "
                f"ORDER BY {HAPPENED}, clip_id"
            )
            values["limit"] = limit
        with translated(self._path):
            yield from self._db.query(sql, values)

    def columns_of(self, names: Sequence[str], wanted: ClipFilter) -> Iterator[tuple[Any, ...]]:
        """Some columns of the wanted clips, by start: cheaper than whole rows over a year."""
        condition, values = wanted.where()
        listed = ", ".join(names)
        with translated(self._path):
            found = self._db.execute(
                f"SELECT {listed} FROM clips WHERE {condition} "  # noqa: S608
                f"ORDER BY {HAPPENED}, clip_id",
                values,
            )
            # Where this is left half way, `yield from` would close a cursor whose database may be
            # closed already.
            for row in found:  # noqa: UP028
                yield row

    def hours(self, figures: Sequence[str], wanted: ClipFilter) -> Iterator[ClipsOfHour]:
        """The wanted clips gathered into hours of local time, in no order."""
        with translated(self._path):
            yield from hours_of(self._db, figures, *wanted.where())

    def sums_of(self, names: Sequence[str], wanted: ClipFilter) -> list[int]:
        """The sum of each of these columns, which hold whole numbers, over the wanted clips."""
        condition, values = wanted.where()
        listed = ", ".join(f"sum({name})" for name in names)
        with translated(self._path):
            sql = f"SELECT {listed} FROM clips WHERE {condition}"  # noqa: S608
            return [int(each or 0) for each in self._db.execute(sql, values).fetchone()]

    def seconds(self, wanted: ClipFilter) -> Iterator[Row]:
        """The second series of the wanted clips, where it was kept, with each clip's start."""
        condition, values = wanted.where()
        with translated(self._path):
            yield from self._db.query(
                "SELECT seconds.*, clips.start_utc, clips.corrected_start_utc "  # noqa: S608
                "FROM clips JOIN seconds USING (clip_id) "
                f"WHERE {condition} ORDER BY {HAPPENED}, clip_id, second",
                values,
            )

    def recorded(self, patient: str) -> Iterator[tuple[str, str, str, str]]:
        """A patient's ended clips in the order of recording: id, start_utc, utc_offset and zone."""
        with translated(self._path):
            yield from self._db.execute(
                "SELECT clip_id, start_utc, utc_offset, zone FROM clips "
                "WHERE patient = ? AND ended_by IS NOT NULL ORDER BY rowid",
                [patient],
            )

    def copy_to(self, path: Path, wanted: ClipFilter, *, series: bool) -> None:
        """Make a database at ``path`` of the wanted clips and of what belongs to them."""
        condition, values = wanted.where()
        with translated(self._path):
            copy_selected(self._db, path, condition, values, series=series)

    def patients(self, wanted: ClipFilter = _ALL) -> list[str]:
        """The pseudonyms that have such clips."""
        return self._distinct("patient", wanted)

    def count(self, wanted: ClipFilter) -> int:
        """How many such clips there are."""
        condition, values = wanted.where()
        with translated(self._path):
            (found,) = self._db.execute(
                f"SELECT count(*) FROM clips WHERE {condition}",  # noqa: S608
                values,
            ).fetchone()
        return int(found)

    def starts(self, wanted: ClipFilter) -> tuple[datetime, datetime] | None:
        """When the first and the last of the wanted clips began; None without one."""
        condition, values = wanted.where()
        with translated(self._path):
            first, last = self._db.execute(
                f"SELECT min({HAPPENED}), max({HAPPENED}) FROM clips WHERE {condition}",  # noqa: S608
                values,
            ).fetchone()
        return (parse_iso(first), parse_iso(last)) if first else None

    def last_place(self) -> int:
        """The latest place in the order of recording: ``order.last_place``."""
        with translated(self._path):
            return last_place(self._db)

    def complete_to(self, wanted: ClipFilter, after: int) -> int:
        """Up to which place after ``after`` the wanted clips lack none: ``order.complete_to``."""
        with translated(self._path):
            return complete_to(self._db, wanted, after)

    def networks(self, wanted: ClipFilter) -> list[str]:
        """The networks that the wanted clips were read with, by SHA-256."""
        return self._distinct("model_sha256", wanted)

    def baselines(self, patient: str, model_sha256: str, at: datetime) -> list[Row]:
        """The baselines that were made until this moment and not reset, the oldest first."""
        with translated(self._path):
            return Baselines(self._db, DEFAULT_RULE).standing(patient, model_sha256, at)

    def baseline(self, baseline_id: int) -> Row | None:
        """One baseline, reset or not; None where it is gone."""
        with translated(self._path):
            found = self._db.query("SELECT * FROM baselines WHERE baseline_id = ?", [baseline_id])
            return next(iter(found), None)

    def _distinct(self, column: str, wanted: ClipFilter) -> list[str]:
        condition, values = wanted.where()
        with translated(self._path):
            rows = self._db.execute(
                f"SELECT DISTINCT {column} FROM clips WHERE {condition} ORDER BY 1",  # noqa: S608
                values,
            )
            return [value for (value,) in rows]

    def columns(self) -> list[str]:
        """The names of all columns."""
        return list(self._db.table("clips").columns_dict)

    def clip(self, name: str) -> Row:
        """The clip whose id begins with ``name``, or the latest one for ``last``.

        Raises NotFoundError where there is none, or more than one.
        """
        with translated(self._path):
            if name == "last":
                found = list(self.clips(ClipFilter(running=True), limit=1))
            else:
                found = list(
                    self._db.query(
                        # The range lets SQLite look it up; the rest is exact.
                        "SELECT * FROM clips WHERE clip_id BETWEEN :name AND :name || :last "
                        "AND substr(clip_id, 1, :length) = :name LIMIT 2",
                        {"name": name, "length": len(name), "last": "\U0010ffff"},
                    )
                )
        if len(found) == 1 and name:
            return found[0]
        if not found:
            raise NotFoundError(f"no clip {name!r} in {self._path}: `edge-fea clips` lists them")
        raise NotFoundError(f"several clips begin with {name!r}: give more of the id")
