"""What the recording does once a day beside recording: retention."""

import logging

from edge_fea.capture.clock import Clock
from edge_fea.clinic.handover import on_record
from edge_fea.errors import StoreError
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.retention import Limit, Removed, Retention

_DAY_S = 86400.0

log = logging.getLogger("edge_fea")


class DailyRetention:
    """Applies ``store.retention_days`` at the end of the first clip of a run, and then daily.

    It never ends a recording: what fails is said in the log, and tried again with the next clip.
    """

    def __init__(self, retention: Retention, trail: AuditTrail, days: int, clock: Clock) -> None:
        self._retention = retention
        self._trail = trail
        self._days = days
        self._clock = clock
        self._last: float | None = None
        self._told = False

    def after_clip(self) -> Removed | None:
        """Remove what is too old; what was removed, None where nothing was to be done."""
        now = self._clock.monotonic()
        if not self._days or (self._last is not None and now - self._last < _DAY_S):
            return None
        try:
            removed = self._apply()
        except StoreError as error:
            log.warning("retention: %s", error)
            return None
        self._last = now
        return removed

    def _apply(self) -> Removed | None:
        limit = Limit.of(self._days, self._clock)
        if not self._retention.due(limit):
            return None
        if not self._retention.believes(limit):
            if not self._told:
                log.warning(
                    "retention: nothing is erased while the clock is not known to be right, until "
                    "the device has recorded for a week by it"
                )
            self._told = True
            return None
        entry = AuditEntry("service", "retention", end=limit.before)
        with on_record(self._trail, entry, self._clock) as receipt:
            removed = self._retention.apply(limit, wait=False)
            receipt.note = str(removed)
        log.info("retention: older than %d days, and erased: %s", self._days, removed)
        return removed
