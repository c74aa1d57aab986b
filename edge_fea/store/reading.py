"""A database that is read and never changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlite_utils

from edge_fea.capture.clock import parse_iso
from edge_fea.store.database import open_for_reading
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import HAPPENED


class Reading:
    """Open for reading, while another process records or not."""

    def __init__(self, path: Path, *, busy_timeout: float) -> None:
        self._path = path
        self._db: sqlite_utils.Database = open_for_reading(path, busy_timeout=busy_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.conn.close()

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that is read within is of the same moment, whatever is recorded meanwhile."""
        with translated(self._path):
            self._db.conn.execute("BEGIN")
            # A transaction takes its moment from its first read.
            self._db.conn.execute("SELECT 1 FROM clips LIMIT 1").fetchall()
        try:
            yield
        finally:
            self._db.conn.execute("ROLLBACK")

    def running_since(self) -> datetime | None:
        """When the running clip began, by the best that is known; None without one."""
        with translated(self._path):
            found = self._db.execute(
                f"SELECT {HAPPENED}, ended_by FROM clips ORDER BY rowid DESC LIMIT 1"  # noqa: S608
            ).fetchone()
        return parse_iso(found[0]) if found and found[1] is None else None
