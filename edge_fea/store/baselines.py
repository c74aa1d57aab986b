"""Patients' baselines in the database: made daily, frozen, reset, looked up."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlite_utils

from edge_fea.capture.clock import iso, local_date, parse_iso
from edge_fea.config.settings import UNASSIGNED
from edge_fea.errors import NotAllowed, NotFoundError
from edge_fea.store.moments import HAPPENED, HAPPENED_OFFSET, happened
from edge_fea.store.patients import Stays
from edge_fea.store.rows import Row
from edge_fea.summary.baseline import (
    BASELINE_INDICES,
    BaselineRule,
    Usual,
    usual_of,
    z_scores,
)

_DAY = timedelta(days=1)


class Baselines:
    """The tables ``baselines`` and ``baseline_resets``.

    A baseline belongs to one patient and one network. The latest one made before a clip's start
    holds for the clip, unless one is frozen; a reset begins anew.
    """

    def __init__(self, db: sqlite_utils.Database, rule: BaselineRule) -> None:
        self._db = db
        self.rule = rule

    def holding(self, patient: str, model_sha256: str, at: datetime) -> Row | None:
        """The row of the baseline that holds for a clip that starts ``at`` this moment.

        Clips from between two stays have none: they may be of anybody.
        """
        if self._between_stays(patient):
            return None
        found = self._db.query(
            "SELECT * FROM baselines WHERE patient = :patient AND model_sha256 = :model "
            "AND made_utc <= :at AND made_utc > :reset ORDER BY frozen DESC, made_utc DESC LIMIT 1",
            {
                "patient": patient,
                "model": model_sha256,
                "at": iso(at),
                "reset": self._last_reset(patient, at),
            },
        )
        return next(iter(found), None)

    def standing(self, patient: str, model_sha256: str, at: datetime) -> list[Row]:
        """All baselines made until this moment that no reset has ended, the oldest first."""
        found = self._db.query(
            "SELECT * FROM baselines WHERE patient = :patient AND model_sha256 = :model "
            "AND made_utc <= :at AND made_utc > :reset ORDER BY made_utc",
            {
                "patient": patient,
                "model": model_sha256,
                "at": iso(at),
                "reset": self._last_reset(patient, at),
            },
        )
        return list(found)

    def scores_for(self, row: Mapping[str, Any]) -> Row:
        """``baseline_id`` and the z-scores that a clip's row gets."""
        held = self.holding(row["patient"], row["model_sha256"], happened(row))
        if held is None:
            return {"baseline_id": None, **z_scores(row, {})}
        return {"baseline_id": held["baseline_id"], **z_scores(row, _usual(held))}

    def update_daily(self, patient: str, model_sha256: str, now: datetime) -> Row | None:
        """Make a new baseline if the last one is a day old, and there is enough for one."""
        held = self.holding(patient, model_sha256, now)
        if held and (held["frozen"] or now - parse_iso(held["made_utc"]) < _DAY):
            return None
        return self.update(patient, model_sha256, now)

    def update(self, patient: str, model_sha256: str, now: datetime) -> Row | None:
        """Make a new baseline from the clips of the last days; None without enough of them.

        None between two stays too, whose clips may be of anybody. Raises NotAllowed where a frozen
        one holds: the new one would never be used.
        """
        if self._between_stays(patient):
            return None
        held = self.holding(patient, model_sha256, now)
        if held and held["frozen"]:
            raise NotAllowed(
                f"baseline {held['baseline_id']} of patient {patient} is frozen and holds until "
                "`edge-fea baseline reset`"
            )
        clips = self._clips(patient, model_sha256, now)
        usual = usual_of(clips, _days(clips), self.rule)
        if usual is None:
            return None
        row: Row = {
            "patient": patient,
            "model_sha256": model_sha256,
            "made_utc": iso(now),
            "first_utc": clips[0]["start_utc"],
            "last_utc": clips[-1]["start_utc"],
            "days": _days(clips),
            "clips": len(clips),
            "frozen": False,
        }
        for name, found in usual.items():
            row[f"median_{name}"], row[f"mad_{name}"] = found.median, found.mad
        row["baseline_id"] = self._db.table("baselines").insert(row).last_pk
        return row

    def freeze(self, patient: str, model_sha256: str, now: datetime) -> Row:
        """Let the present baseline hold until it is reset. Raises NotFoundError without one."""
        held = self.holding(patient, model_sha256, now)
        if held is None:
            raise NotFoundError(f"patient {patient} has no baseline yet")
        self._db.table("baselines").update(held["baseline_id"], {"frozen": True})
        return {**held, "frozen": True}

    def reset(self, patient: str, now: datetime) -> None:
        """Begin anew: clips from before ``now`` are in no later baseline."""
        self._db.table("baseline_resets").insert({"patient": patient, "at_utc": iso(now)})

    def progress(self, patient: str, model_sha256: str, now: datetime) -> tuple[int, int]:
        """Sufficient clips and days that a baseline made now would have."""
        clips = self._clips(patient, model_sha256, now)
        return len(clips), _days(clips)

    def former_network(self, patient: str, model_sha256: str) -> Row | None:
        """The latest baseline of another network: what a change of the network has ended."""
        found = self._db.query(
            "SELECT * FROM baselines WHERE patient = ? AND model_sha256 != ? "
            "ORDER BY made_utc DESC LIMIT 1",
            [patient, model_sha256],
        )
        return next(iter(found), None)

    def _clips(self, patient: str, model_sha256: str, now: datetime) -> list[Row]:
        since = max(iso(now - self.rule.days * _DAY), self._last_reset(patient, now))
        return list(
            self._db.query(
                f"SELECT {HAPPENED} AS start_utc, {HAPPENED_OFFSET} AS utc_offset, "  # noqa: S608
                f"{', '.join(BASELINE_INDICES)} FROM clips "
                "WHERE patient = :patient AND model_sha256 = :model AND sufficient = 1 "
                f"AND ended_by IS NOT NULL AND {HAPPENED} > :since AND {HAPPENED} <= :now "
                f"ORDER BY {HAPPENED}",
                {"patient": patient, "model": model_sha256, "since": since, "now": iso(now)},
            )
        )

    def _between_stays(self, patient: str) -> bool:
        # Where no stay was ever begun, the device stands with one person who was never named.
        return patient == UNASSIGNED and Stays(self._db).used()

    def _last_reset(self, patient: str, at: datetime) -> str:
        (moment,) = self._db.execute(
            "SELECT max(at_utc) FROM baseline_resets WHERE patient = ? AND at_utc <= ?",
            [patient, iso(at)],
        ).fetchone()
        return moment or ""


def _usual(row: Row) -> dict[str, Usual]:
    return {
        name: Usual(row[f"median_{name}"], row[f"mad_{name}"])
        for name in BASELINE_INDICES
        if row[f"median_{name}"] is not None
    }


def _days(clips: list[Row]) -> int:
    return len({local_date(clip["start_utc"], clip["utc_offset"]) for clip in clips})
