"""The second series: the probabilities of each second, for researchers who ask for them."""

from datetime import datetime, timedelta

import sqlite_utils

from edge_fea.capture.clock import iso
from edge_fea.emotions import LABELS
from edge_fea.store.moments import HAPPENED
from edge_fea.store.retention import Limit, Retention
from edge_fea.store.rows import Row
from edge_fea.summary.record import ClipSummary

_FROM_FILES = ("video", "pictures")


class SecondSeries:
    """The table ``seconds``; what is older than so many ``days`` goes."""

    def __init__(self, db: sqlite_utils.Database, retention: Retention, days: int) -> None:
        self._db = db
        self._retention = retention
        self._days = days

    def save(self, clip: ClipSummary) -> None:
        """Write the series of a clip, over what stood there of it."""
        series = clip.figures.series
        rows = [
            {
                "clip_id": clip.clip_id,
                "second": int(second),
                "frames": int(frames),
                **{f"p_{label}": float(p) for label, p in zip(LABELS, means, strict=True)},
            }
            for second, frames, means in zip(
                series.seconds, series.frames, series.means, strict=True
            )
        ]
        self._db.table("seconds").upsert_all(rows, pk=("clip_id", "second"))

    def drop_old(self, clip: Row, now: datetime, *, doubtful: bool) -> None:
        """Remove what is too old ``now`` that this clip has ended, unless its clock is doubtful."""
        # The date of a film says nothing of how long the series of others have been here.
        if clip["source"] in _FROM_FILES:
            return
        limit = Limit(now - timedelta(days=self._days), now, self._days, not doubtful)
        if self._retention.believes(limit):
            self._db.execute(
                "DELETE FROM seconds WHERE clip_id IN "  # noqa: S608
                f"(SELECT clip_id FROM clips WHERE {HAPPENED} < ?)",
                [iso(limit.before)],
            )
