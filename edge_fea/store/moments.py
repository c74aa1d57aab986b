"""When clips happened: as the clock said it, or as it became known later.

A clip keeps the wall time that the clock said when it began, and the same moment on the monotonic
clock of its boot. Once wall time is known in that boot, by the network or by a person's word, the
clips from before are given a corrected start beside the one that was recorded, which stays.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import sqlite_utils

from edge_fea.capture.clock import (
    UNKNOWN_BOOT,
    Clock,
    RestoredClock,
    iso,
    local,
    parse_iso,
    zone_named,
)
from edge_fea.errors import StoreError
from edge_fea.store.rows import Row

HAPPENED: Final = "coalesce(corrected_start_utc, start_utc)"
"""When a clip began, in SQL: the best that is known. There are indexes of just these words."""

HAPPENED_OFFSET: Final = "coalesce(corrected_utc_offset, utc_offset)"
"""The offset of local time that goes with ``HAPPENED``."""

# A clock that is set right differs by less from what it said before, in seconds.
_AGREES_S = 1.0
# Corrected in one transaction. A device that was months without a time has many clips to correct,
# and the next frame does not wait.
_MOST_AT_ONCE = 500


def happened(clip: Mapping[str, Any]) -> datetime:
    """When the clip of a row began, in the patient's local time: the best that is known."""
    return local(
        clip["corrected_start_utc"] or clip["start_utc"],
        clip["corrected_utc_offset"] or clip["utc_offset"],
    )


def is_doubtful(clip: Mapping[str, Any]) -> bool:
    """Whether a clip's hour and day may be wrong: no clock was right, then or later."""
    return clip["clock_synchronized"] in (0, False) and clip["corrected_start_utc"] is None


class Moments:
    """Corrects the starts of clips of one boot as soon as its time is known."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._db = db
        self._boot: str | None = None
        self._zero: datetime | None = None

    def synchronized(self, boot_id: str, zero: datetime) -> None:
        """In this boot the monotonic clock stood at 0 at ``zero``: wall time is right now."""
        if boot_id != UNKNOWN_BOOT:
            self._boot, self._zero = boot_id, zero

    def check(self, boot_id: str, clock: Clock) -> None:
        """Put on record a person's word that wall time is right now; what an earlier one gave goes.

        Raises StoreError where the kernel does not tell which boot this is.
        """
        if boot_id == UNKNOWN_BOOT:
            raise StoreError("/proc/sys/kernel/random/boot_id cannot be read: which boot is this?")
        self._db.conn.execute(
            "UPDATE clips SET corrected_start_utc = NULL, corrected_utc_offset = NULL "
            "WHERE boot_id = ? AND clock_synchronized = 0",
            [boot_id],
        )
        self._db.table("clock_checks").insert(
            {"boot_id": boot_id, "at_utc": iso(clock.now()), "monotonic_s": clock.monotonic()}
        )

    def zero(self, boot_id: str | None) -> datetime | None:
        """When a boot's monotonic clock stood at 0, by the network or by the last check.

        None where the time of that boot is not known.
        """
        if boot_id is None or boot_id == self._boot:
            return self._zero if boot_id else None
        found = self._db.execute(
            "SELECT at_utc, monotonic_s FROM clock_checks WHERE boot_id = ? "
            "ORDER BY check_id DESC LIMIT 1",
            [boot_id],
        ).fetchone()
        return parse_iso(found[0]) - timedelta(seconds=found[1]) if found else None

    def correction(self, row: Row) -> Row:
        """The columns ``corrected_start_utc`` and ``corrected_utc_offset`` of a clip's row.

        A clip whose clock was said to be right is corrected too where its start disagrees: the
        clock may have been set between its first frame and the question.
        """
        zero = self.zero(row["boot_id"])
        nothing: Row = {"corrected_start_utc": None, "corrected_utc_offset": None}
        if zero is None or row["clock_synchronized"] is None:
            return nothing
        start = zero + timedelta(seconds=row["start_monotonic_s"])
        away = abs((start - parse_iso(row["start_utc"])).total_seconds())
        if row["clock_synchronized"] and away < _AGREES_S:
            return nothing
        # The zone's offset may be another one on the day that it really was.
        offset = start.astimezone(zone_named(row["zone"])).strftime("%z")
        return {
            "corrected_start_utc": iso(start),
            "corrected_utc_offset": f"{offset[:3]}:{offset[3:5]}",
        }

    def catch_up(self, boot_id: str | None) -> int:
        """Correct earlier clips of a boot whose time is known now; how many were corrected.

        At most a few hundred, so that recording goes on: call it again for the rest.
        """
        if self.zero(boot_id) is None:
            return 0
        clips = self._db.table("clips")
        left = list(
            clips.rows_where(
                "boot_id = ? AND clock_synchronized = 0 AND corrected_start_utc IS NULL",
                [boot_id],
                select="clip_id, boot_id, clock_synchronized, start_utc, start_monotonic_s, zone",
                limit=_MOST_AT_ONCE,
            )
        )
        for row in left:
            # Not through the table: that would end the transaction that this is a part of.
            self._db.conn.execute(
                "UPDATE clips SET corrected_start_utc = :corrected_start_utc, "
                "corrected_utc_offset = :corrected_utc_offset WHERE clip_id = :clip_id",
                {"clip_id": row["clip_id"], **self.correction(row)},
            )
        return len(left)

    def clock(self, machine: Clock, boot_id: str) -> RestoredClock:
        """The machine's clock, but never before what was recorded before this boot."""
        return RestoredClock(machine, self.last_known(boot_id))

    def doubtful(self, boot_id: str | None = None) -> int:
        """How many clips have an hour and day that may be wrong; of one boot, or of all."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM clips WHERE clock_synchronized = 0 "
            "AND corrected_start_utc IS NULL AND (:boot IS NULL OR boot_id = :boot)",
            {"boot": boot_id},
        ).fetchone()
        return int(count)

    def last_known(self, boot_id: str) -> datetime | None:
        """The end of the last clip that a camera recorded in another boot than this one.

        Wall time has been at least there. The last one recorded, not the one that seems the
        latest: a clock that once ran ahead must not hold for ever. None without such a clip.
        """
        found = self._db.execute(
            f"SELECT {HAPPENED}, duration_s FROM clips "  # noqa: S608
            "WHERE boot_id != ? ORDER BY rowid DESC LIMIT 1",
            [boot_id],
        ).fetchone()
        return parse_iso(found[0]) + timedelta(seconds=found[1]) if found else None
