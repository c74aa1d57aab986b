"""From the database to what a report needs: one pass over the clips, none kept whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from edge_fea.capture.clock import local
from edge_fea.clinic.selection import Selection
from edge_fea.emotions import LABELS
from edge_fea.errors import NotFoundError, UnclearError
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.store.moments import HAPPENED, HAPPENED_OFFSET
from edge_fea.summary.indices import duration_band
from edge_fea.summary.intervals import MINIMUM_N_EFF
from edge_fea.summary.periods import FIGURES, LocalClip
from edge_fea.vision.observation import Outcome

# A row is read by place: a name for each of its values would cost more than all the rest.
_LOCAL: Final = (
    *(HAPPENED, HAPPENED_OFFSET, "clock_synchronized", "corrected_start_utc", "duration_s"),
    *("valid_seconds", "sufficient", "model_sha256", "motion_energy", *FIGURES),
)
_OUTCOMES: Final = tuple(f"frames_{outcome}" for outcome in Outcome)
_DWELL: Final = tuple(f"dwell_{label}_s" for label in LABELS)
_WHOLE: Final = (
    *("app_version", "device_id", "source", "clip_id", "negative_n_eff", "expressivity_n_eff"),
    *("negative_mean", "expressivity_mean", "z_negative_mean", "z_expressivity_mean"),
)
_COLUMNS: Final = (*_WHOLE, *_LOCAL, *_DWELL)
_DWELL_FROM: Final = len(_WHOLE) + len(_LOCAL)
_NETWORK: Final = _LOCAL.index("model_sha256")

_Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip that may be notable: what it is chosen by, and its id."""

    clip_id: str
    start: datetime
    negative: float
    """Negative share: its z-score against the baseline of its time where ``compared``."""

    expressivity: float
    """Likewise."""

    compared: bool


@dataclass(slots=True)
class Use:
    """From when to when something was in use without a break: a network, a version, a device.

    Where an upgrade was undone, the old one has two of these, with the new one's in between.
    """

    name: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class ReadClip:
    """A clip as periods need it, and its facial motion."""

    local: LocalClip
    motion: float | None


@dataclass
class Gathered:
    """The clips of one patient's period. Expressions are of the latest network only."""

    patient: str
    zone: str
    network: str
    """SHA-256 of the network that read the latest clip."""

    clips: list[LocalClip] = field(default_factory=list)
    """All clips, by start: what coverage is counted over."""

    current: list[ReadClip] = field(default_factory=list)
    """Those that the latest network read: what expressions are averaged over."""

    outcomes: dict[Outcome, int] = field(default_factory=dict)
    """Frames due by what became of them."""

    bands: dict[str, Counter[str]] = field(default_factory=dict)
    """For each label, how many of the sufficient clips had how long of it."""

    candidates: list[Candidate] = field(default_factory=list)
    networks: list[Use] = field(default_factory=list)
    versions: list[Use] = field(default_factory=list)
    devices: list[Use] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)


def gather(selection: Selection) -> Gathered:
    """Read the selected clips, which must be of one patient.

    Raises NotFoundError without a clip, UnclearError with more than one patient.
    """
    patients = selection.patients()
    if not patients:
        whose = selection.wanted.patient
        raise NotFoundError(
            f"no clips{f' of patient {whose}' if whose else ''} in this period: "
            "`edge-fea summary --by day` lists the days that have some"
        )
    if len(patients) > 1:
        raise UnclearError(
            f"the clips are of {len(patients)} patients ({', '.join(patients)}): give --patient"
        )
    (latest,) = selection.reader.clips(selection.wanted, limit=1)
    found = Gathered(patients[0], latest["zone"], latest["model_sha256"])
    found.bands = {label: Counter() for label in LABELS}
    found.outcomes = dict(
        zip(Outcome, selection.reader.sums_of(_OUTCOMES, selection.wanted), strict=True)
    )
    used: tuple[str, str, str] | None = None
    for values in selection.reader.columns_of(_COLUMNS, selection.wanted):
        clip = _read_clip(values[len(_WHOLE) : _DWELL_FROM])
        found.clips.append(clip.local)
        network = values[len(_WHOLE) + _NETWORK]
        using = (network, *values[:2])
        if using != used:
            uses = _uses(found, using, clip.local.start)
            used = using
        for use in uses:
            use.last = clip.local.start
        found.sources.add(values[2])
        if network == found.network:
            found.current.append(clip)
            if clip.local.sufficient:
                _take_scores(values, clip.local.start, found)
    return found


def clips_between(
    reader: ClipReader, patient: str, network: str, first: datetime, last: datetime
) -> list[ReadClip]:
    """The patient's clips read with one network that start from ``first`` to ``last``."""
    wanted = ClipFilter(first, last + timedelta(milliseconds=1), patient)
    return [
        _read_clip(row) for row in reader.columns_of(_LOCAL, wanted) if row[_NETWORK] == network
    ]


def _read_clip(values: _Values) -> ReadClip:
    start, offset, synchronized, corrected, duration, seconds, sufficient, _, motion = values[:9]
    clip = LocalClip(
        # The offset that held when the clip was recorded, whatever the settings are now.
        local(start, offset),
        duration,
        seconds,
        bool(sufficient),
        tuple(values[9:]),
        synchronized != 0 or corrected is not None,
    )
    return ReadClip(clip, motion)


def _take_scores(values: _Values, start: datetime, found: Gathered) -> None:
    for label, dwell in zip(LABELS, values[_DWELL_FROM:], strict=True):
        found.bands[label][duration_band(dwell)] += 1
    clip_id, n_negative, n_expressivity, negative, expressivity, *z = values[3 : len(_WHOLE)]
    if min(n_negative, n_expressivity) >= MINIMUM_N_EFF:
        compared = None not in z
        if compared:
            negative, expressivity = z
        found.candidates.append(Candidate(clip_id, start, negative, expressivity, compared))


def _uses(found: Gathered, names: Sequence[str], start: datetime) -> list[Use]:
    """What is in use from this clip on: the network, the version and the device of these names."""
    lists = (found.networks, found.versions, found.devices)
    return [_use(uses, name, start) for uses, name in zip(lists, names, strict=True)]


def _use(uses: list[Use], name: str, start: datetime) -> Use:
    if not uses or uses[-1].name != name:
        uses.append(Use(name, start, start))
    return uses[-1]
