"""A SQLite database of the selection, with edge-fea's own schema: ``edge-fea`` opens it too."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from edge_fea.clinic.export.form import Extras, Format, Sink
from edge_fea.clinic.selection import Selection

_BLOCK = 1 << 20


def _write(selection: Selection, out: Sink, extras: Extras) -> None:
    # SQLite writes files only, and goes back in them: one that can be streamed must be whole.
    with tempfile.TemporaryDirectory(prefix="edge-fea-", dir=_roomy()) as folder:
        path = Path(folder) / "clips.db"
        selection.reader.copy_to(path, selection.wanted, series=extras.series)
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, _BLOCK)


def _roomy() -> str | None:
    """Where large files may lie for a while: not /tmp, which is memory on newer systems."""
    roomy = "/var/tmp"  # noqa: S108  # TemporaryDirectory makes a folder that is its owner's alone
    return roomy if "TMPDIR" not in os.environ and os.access(roomy, os.W_OK) else None


def _count(path: Path) -> int:
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        (answer,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if answer != "ok":
            raise ValueError(f"SQLite says: {answer}")
        (found,) = db.execute("SELECT count(*) FROM clips").fetchone()
    return int(found)


SQLITE = Format("sqlite", "a database with the same tables", ".db", _write, _count, series=True)
