"""What the recording does when it starts and once a day: remember how far the audit trail goes."""

import logging

from edge_fea.capture.clock import Clock
from edge_fea.errors import AuditBroken, StoreError
from edge_fea.store.anchor import move_anchor
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder

_DAY_S = 86400.0

log = logging.getLogger("edge_fea")


class DailyAnchor:
    """Moves the anchor of the audit trail. It never ends a recording: what fails is in the log."""

    def __init__(self, store: ClipRecorder, trail: AuditTrail, clock: Clock) -> None:
        self._store = store
        self._trail = trail
        self._clock = clock
        self._last: float | None = None

    def move(self) -> None:
        """Remember the trail's last row, unless that was done within the last day."""
        now = self._clock.monotonic()
        if self._last is not None and now - self._last < _DAY_S:
            return
        try:
            move_anchor(self._store.opened.db, self._store.path, self._trail)
        except AuditBroken as error:
            # Nothing that a later try would mend: said once a day.
            log.warning("%s; `edge-fea audit --verify` tells more", error)
        except StoreError as error:
            log.warning("the end of the audit trail is not remembered yet: %s", error)
            return
        self._last = now
