"""Months of plausible clips of one patient, written straight into a database within seconds.

Nothing here is a person: the figures are drawn. What is drawn has the shapes that whoever reads
clips must stand: a rhythm over the day, nights in an empty picture, a device that is off for days,
a clock that is not synchronized after a power loss, clocks that go back, and a change for good.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import sqlite_utils

from edge_fea.capture.clock import iso
from edge_fea.emotions import LABELS, NEGATIVE, NEUTRAL
from edge_fea.store.baselines import Baselines
from edge_fea.store.clip_columns import CLIPS
from edge_fea.store.clips import ClipRecorder
from edge_fea.summary.baseline import BASELINE_INDICES, DEFAULT_RULE, BaselineRule
from edge_fea.summary.record import clip_id
from edge_fea.vision.classifier import default_network
from edge_fea.vision.manifest import Manifest
from edge_fea.vision.observation import Outcome

Columns = dict[str, Any]
"""Values of a day's clips, or one value for all of them, by column."""

CLIP_S, RATE = 300, 4.0
FIRST_DAY = date(2026, 9, 1)
"""90 days from here hold the end of summer time in Europe, 25 October 2026."""

# Logits of a face at rest, in the order of LABELS, and what a change for good adds to them.
_REST = np.array([-1.1, -1.9, -1.7, 0.2, -0.4, -1.5, 1.6])
_SHIFT = np.array([0.7, 0.5, 1.0, -2.0, 1.45, -1.5, 1.1])
# Late in the afternoon: less happy, more sad and angry.
_LATE = np.array([0.35, 0.1, 0.15, -0.35, 0.4, 0.0, 0.0])
_NEUTRAL = LABELS.index(NEUTRAL)
_NEGATIVE = [place for place, label in enumerate(LABELS) if label in NEGATIVE]


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens on which day, counted from 0; None or empty is never."""

    days: int = 90
    first_day: date = FIRST_DAY
    zone: str = "Europe/Berlin"
    shift_day: int | None = 60
    off_days: tuple[int, ...] = (19, 20, 21, 47)
    """Days on which the device is off."""

    turned_days: tuple[int, ...] = (33, 34, 35, 36)
    """Days on which the bed stands turned away from the camera."""

    unsynchronized_day: int | None = 48
    """A day that begins with six hours of a clock which nothing has set."""

    seen: float = 1.0
    """How much of what is usual is seen, 0 to 1."""


def simulate(
    path: Path,
    days: int = 90,
    patient: str = "P07",
    seed: int = 1,
    *,
    plan: Plan | None = None,
    device: str = "efea-ward3-bed2",
    network: str | None = None,
    app_version: str = "0.1.0",
    rule: BaselineRule | None = DEFAULT_RULE,
) -> None:
    """Add clips of ``patient`` over ``days`` to the database, which is made where there is none.

    ``plan`` says more than ``days`` does, and goes above it. Clips are compared with baselines by
    ``rule``, made daily as the device makes them; None leaves them out. ``network`` is a SHA-256;
    that of the network that ships where it is None.
    """
    plan = plan or Plan(days=days)
    zone = ZoneInfo(plan.zone)
    dice = np.random.default_rng(seed)
    identity = {
        "device_id": device,
        "patient": patient,
        "app_version": app_version,
        "model_sha256": network or Manifest.read(default_network()).sha256,
        "zone": plan.zone,
    }
    mood = np.zeros(len(LABELS))
    begin = datetime.combine(plan.first_day, datetime.min.time(), UTC)
    with ClipRecorder(path, busy_timeout=1, now=begin) as recorder:
        db = recorder.opened.db
        baselines = Baselines(db, rule or DEFAULT_RULE)
        made: dict[str, Any] | None = None
        with db.atomic():
            for number in range(plan.days):
                # A day resembles the one before it.
                mood = 0.4 * mood + dice.normal(0.0, 0.12, len(LABELS))
                if number in plan.off_days:
                    continue
                starts = _starts(plan, number, zone)
                columns = identity | _seen(starts, number, plan, zone, dice)
                ids = f"{identity['device_id']} {patient}".encode()
                columns["clip_id"] = [clip_id(start, ids + iso(start).encode()) for start in starts]
                columns |= _scores(columns, number, mood, plan, dice)
                columns |= _against(made, columns)
                _insert(db, columns, len(starts))
                if rule is not None:
                    end = starts[-1] + timedelta(seconds=CLIP_S)
                    model = columns["model_sha256"]
                    made = baselines.update_daily(patient, model, end) or made


def _starts(plan: Plan, number: int, zone: ZoneInfo) -> list[datetime]:
    """The starts of a local day's clips in UTC; the first day begins when the device is set up."""
    day = plan.first_day + timedelta(days=number)
    begin, end = (
        datetime.combine(each, datetime.min.time(), zone).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    if number == 0:
        begin += timedelta(hours=10, minutes=20)
    count = int((end - begin).total_seconds() // CLIP_S)
    return [begin + timedelta(seconds=CLIP_S * place) for place in range(count)]


def _seen(
    starts: list[datetime], number: int, plan: Plan, zone: ZoneInfo, dice: np.random.Generator
) -> Columns:
    """Time and coverage of a day's clips."""
    local = [start.astimezone(zone) for start in starts]
    hours = np.array([each.hour + each.minute / 60.0 for each in local])
    outcomes = _outcomes(hours, number in plan.turned_days, plan.seen, dice)
    due = round(CLIP_S * RATE)
    valid = outcomes[:, list(Outcome).index(Outcome.VALID)]
    seconds = np.minimum(CLIP_S, np.rint(valid / RATE * 1.03)).astype(int)
    lost = [list(Outcome).index(each) for each in (Outcome.PAUSED, Outcome.CAPTURE_LOST)]
    unset = (number == plan.unsynchronized_day) & (hours < 6.0)
    offsets = [each.strftime("%z") for each in local]
    return {
        "start_utc": [iso(start) for start in starts],
        "start_monotonic_s": CLIP_S * np.arange(len(starts), dtype=float),
        "utc_offset": [f"{offset[:3]}:{offset[3:]}" for offset in offsets],
        "duration_s": float(CLIP_S),
        "clock_synchronized": np.where(unset, 0, 1),
        "boot_id": f"{number:032}",
        "source": "picamera2",
        "ended_by": "full",
        "frame_rate": RATE,
        "frames_due": due,
        "frames_captured": due - outcomes[:, lost].sum(axis=1),
        **{f"frames_{each}": outcomes[:, place] for place, each in enumerate(Outcome)},
        "valid_seconds": seconds,
        "coverage": seconds / CLIP_S,
        "sufficient": (seconds >= 0.5 * CLIP_S).astype(int),
        "_hours": hours,
    }


def _outcomes(
    hours: np.ndarray, turned: bool, seen: float, dice: np.random.Generator
) -> np.ndarray:
    """How many of the frames due have which outcome, (clips, outcomes): mostly one in a clip."""
    chance = dice.random((3, len(hours)))
    usual = 0.62 - 0.25 * ((hours >= 12.5) & (hours < 14.5))
    mixes = [
        ((hours >= 8.0) & (hours < 8.5) & (chance[0] < 0.8), {"paused": 30.0}),
        ((hours < 6.5) | (hours >= 22.0), {"too_dark": 5.0, "no_face": 1.5, "valid": 0.02}),
        (
            chance[1] < (0.1 if turned else usual) * seen,
            {"valid": 6.0, "turned_away": 0.7, "no_face": 0.4, "blurred": 0.25, "ambiguous": 0.15}
            | {"face_too_small": 0.1},
        ),
        (turned | (chance[2] < 0.3), {"turned_away": 5.0, "valid": 0.6, "no_face": 0.5}),
        (chance[2] >= 0.0, {"no_face": 6.0, "off_zone": 0.3, "valid": 0.15, "not_a_face": 0.1}),
    ]
    weights = np.select(
        [condition[:, np.newaxis] for condition, _ in mixes],
        [np.array([mix.get(each.value, 0.002) for each in Outcome]) for _, mix in mixes],
    )
    shares = dice.gamma(weights) + 1e-9
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(dice.multinomial(round(CLIP_S * RATE), shares))


def _scores(
    seen: Columns, number: int, mood: np.ndarray, plan: Plan, dice: np.random.Generator
) -> Columns:
    """The scores of a day's clips, consistent with each other, where they were seen enough."""
    shifted = plan.shift_day is not None and number >= plan.shift_day
    hours, seconds = seen["_hours"], np.maximum(seen["valid_seconds"], 1)
    late = np.exp(-(((hours - 17.5) / 1.8) ** 2))[:, np.newaxis]
    noise = dice.normal(0.0, 0.45, (len(hours), len(LABELS)))
    means = _softmax(_REST + mood + noise + late * _LATE + (_SHIFT if shifted else 0.0))
    n_eff = np.clip(seconds / 8.0 * dice.lognormal(0.0, 0.3, len(hours)), 1.0, seconds)
    dwell = dice.multinomial(seconds, _softmax(1.6 * np.log(means)))
    bouts = np.ceil(dwell / 9.0).astype(int)
    ordered = np.sort(means)
    margin = ordered[:, -1] - ordered[:, -2]
    negative, expressive = means[:, _NEGATIVE].sum(axis=1), 1.0 - means[:, _NEUTRAL]
    scores: Columns = {
        "dominant": np.array(LABELS)[means.argmax(axis=1)],
        "margin": margin,
        "indeterminate": (margin < 0.08).astype(int),
        "transitions_per_min": (bouts.sum(axis=1) - 1) / seconds * 60.0,
        "negative_n_eff": n_eff,
        "negative_time": dwell[:, _NEGATIVE].sum(axis=1) / seconds,
        "expressivity_n_eff": n_eff,
        "expressivity_sd": dice.uniform(0.12, 0.3, len(hours)) * (0.8 if shifted else 1.0),
        "motion_energy": 0.02 * dice.lognormal(0.0, 0.3, len(hours)) * (0.8 if shifted else 1.0),
        "variety_bits": -(means * np.log2(means)).sum(axis=1),
        "doubt_bits": dice.uniform(0.8, 2.2, len(hours)),
        **_interval("negative_mean", negative, 0.2, n_eff),
        **_interval("expressivity_mean", expressive, 0.25, n_eff),
    }
    for index in ("negative", "expressivity"):
        scores[f"{index}_mssd"] = dice.uniform(0.005, 0.03, len(hours))
        scores[f"{index}_inertia"] = dice.uniform(0.5, 0.9, len(hours))
    for place, label in enumerate(LABELS):
        spread = 0.54 * np.sqrt(means[:, place] * (1.0 - means[:, place]))
        scores |= _interval(f"mean_{label}", means[:, place], spread, n_eff)
        scores |= {f"sd_{label}": spread, f"n_eff_{label}": n_eff}
        scores |= {f"dwell_{label}_s": dwell[:, place], f"bouts_{label}": bouts[:, place]}
    return {name: np.where(seen["sufficient"], column, None) for name, column in scores.items()}


def _interval(name: str, mean: np.ndarray, spread: Any, n_eff: np.ndarray) -> Columns:
    reach = 2.2 * spread / np.sqrt(n_eff) / (mean * (1.0 - mean))
    centre = np.log(mean / (1.0 - mean))
    low, high = (1.0 / (1.0 + np.exp(-(centre + side))) for side in (-reach, reach))
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _against(baseline: dict[str, Any] | None, columns: Columns) -> Columns:
    """``baseline_id`` and the z-scores by the baseline that holds."""
    if baseline is None:
        return {}
    seen = columns["sufficient"].astype(bool)
    found: Columns = {"baseline_id": np.where(seen, baseline["baseline_id"], None)}
    for name in BASELINE_INDICES:
        z = np.full(len(seen), None)
        values = columns[name][seen].astype(float)
        z[seen] = (values - baseline[f"median_{name}"]) / (1.4826 * baseline[f"mad_{name}"])
        found[f"z_{name}"] = z
    return found


def _insert(db: sqlite_utils.Database, columns: Columns, count: int) -> None:
    lists = []
    for column in CLIPS:
        values = columns.get(column.name)
        if isinstance(values, np.ndarray):
            values = values.tolist()
        lists.append(values if isinstance(values, list) else [values] * count)
    db.conn.executemany(
        f"INSERT INTO clips ({', '.join(column.name for column in CLIPS)}) "
        f"VALUES ({', '.join('?' for _ in CLIPS)})",
        zip(*lists, strict=True),
    )


if __name__ == "__main__":
    began = time.perf_counter()
    simulate(Path("simulated.db"))
    print(f"simulated.db: 90 days in {time.perf_counter() - began:.1f} s")
