"""Turns SQLite's exceptions into the store's own, each of which says what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_fea.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreUnwritable

_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_FSYNC"}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise StoreFull, StoreBusy, StoreUnwritable, StoreDamaged or StoreError for SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name in _FULL:
            raise StoreFull(
                f"no space left for {path}: free some; everything committed until now is kept"
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StoreBusy(f"{path} is in use by another process: try again later") from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise StoreUnwritable(
                f"cannot write {path} (store.database): its folder must exist and belong to the "
                "user who runs edge-fea"
            ) from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise StoreDamaged(f"{path} is damaged: {error}") from error
        raise StoreError(f"{path}: {error}") from error
