"""The order in which clips were recorded, which no clock that is set back can change.

Each clip gets the next place in the table ``clip_order`` as it is first written, by a trigger. No
place is given twice: not after a clip was erased, and not to a clip of another database that takes
the place of this one, since a new one counts on from the milliseconds since 1970. What a clinician
has received goes by these places; times of clips may be mended, or wrong.
"""

from typing import Final

import sqlite_utils

from edge_fea.store.clip_filter import ClipFilter

FORGET: Final = "DELETE FROM clip_order WHERE clip_id NOT IN (SELECT clip_id FROM clips)"
"""Takes away the places of clips that are gone."""

# More clips than a device records in a lifetime.
_BEYOND: Final = 10_000_000


def last_place(db: sqlite_utils.Database) -> int:
    """The latest place that was given."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'clip_order'").fetchone()
    return int(found[0]) if found else 0


def complete_to(db: sqlite_utils.Database, wanted: ClipFilter, after: int) -> int:
    """The place up to which no clip is missing in ``wanted`` that was recorded after ``after``.

    Of the wanted patient, or of all; the running clip is missing, unless it is wanted too. It is
    ``after`` where the very next clip is missing, or there is none.
    """
    condition, values = wanted.where()
    of_patient = "" if wanted.patient is None else "AND patient = :patient"
    (found,) = db.execute(
        "SELECT max(place) FROM clip_order WHERE place > :from_place AND place < coalesce("  # noqa: S608
        "(SELECT min(place) FROM clip_order JOIN clips USING (clip_id) "
        f"WHERE place > :from_place {of_patient} AND NOT ({condition})), {1 << 62})",
        values | {"from_place": after},
    ).fetchone()
    return after if found is None else int(found)


def begin_anew(db: sqlite_utils.Database) -> None:
    """Count on far beyond: an older state of the database has taken the place of a newer one.

    Clips that the newer one had recorded may have been handed over, with places that this one would
    give again.
    """
    if "clip_order" in db.table_names():
        with db.conn:
            db.conn.execute(
                "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'clip_order'", [_BEYOND]
            )
