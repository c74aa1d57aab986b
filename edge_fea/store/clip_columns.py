"""The columns of the table ``clips``: type, unit, range, meaning and formula of each."""

from dataclasses import dataclass
from typing import Literal

from edge_fea.emotions import LABELS, NEGATIVE
from edge_fea.summary.baseline import BASELINE_INDICES
from edge_fea.summary.intervals import MINIMUM_N_EFF
from edge_fea.summary.record import EndedBy
from edge_fea.summary.timecourse import HYSTERESIS
from edge_fea.vision.observation import MEANINGS, Outcome

Kind = Literal["text", "integer", "real", "boolean", "moment"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what a reader must know to use it."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    nullable: bool = False
    formula: str = ""

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.levels:
            return ", ".join(self.levels)
        if self.low is None and self.high is None:
            return ""
        low = "" if self.low is None else f"{self.low:g}"
        return f"{low} to {self.high:g}" if self.high is not None else f"{low} or more"


def _count(name: str, meaning: str, unit: str = "frames") -> Column:
    return Column(name, "integer", meaning, unit, low=0)


def score(name: str, meaning: str, formula: str, **more: object) -> Column:
    """A real column that is null where there is nothing to say."""
    return Column(name, "real", meaning, formula=formula, nullable=True, **more)  # type: ignore[arg-type]


def _interval(name: str, of: str) -> list[Column]:
    method = "Student's t on the logit scale with n_eff from the fitted autocorrelation"
    return [
        score(f"{name}_low", f"Lower end of the 95 % interval of {of}", method, low=0, high=1),
        score(f"{name}_high", f"Upper end of the 95 % interval of {of}", method, low=0, high=1),
    ]


_IDENTITY = [
    Column("clip_id", "text", "UUID version 7; sorts by start"),
    Column("device_id", "text", "The device"),
    Column("patient", "text", "The patient's pseudonym"),
    Column("app_version", "text", "Version of edge-fea that wrote the clip"),
    Column("model_sha256", "text", "SHA-256 of the network file, hexadecimal"),
]
_TIME = [
    Column("start_utc", "moment", "Start of the clip, UTC, ISO 8601 with milliseconds"),
    Column(
        "start_monotonic_s",
        "real",
        "The same moment on a clock that never jumps: since boot (see boot_id), or in the file",
        "s",
    ),
    Column("utc_offset", "text", "Offset of local time from UTC at the start", "±hh:mm"),
    Column("zone", "text", "IANA name of the patient's time zone"),
    Column("duration_s", "real", "Length of the clip by a clock that never jumps", "s", 0, 600),
    Column(
        "clock_synchronized",
        "boolean",
        "Whether wall time was known to be right at the start; null for a recorded file",
        levels=("0", "1"),
        nullable=True,
    ),
    Column("boot_id", "text", "The kernel's id of the boot; null for a file", nullable=True),
    Column(
        "source",
        "text",
        "Where the frames came from",
        levels=("picamera2", "webcam", "video", "pictures", "demo"),
    ),
    Column(
        "ended_by",
        "text",
        "Why the clip ended; null while it is running",
        levels=tuple(EndedBy),
        nullable=True,
    ),
]
_COVERAGE = [
    Column("frame_rate", "real", "Frames due in a second", "1/s", 1, 30),
    _count("frames_due", "Frames that were due; all outcomes together"),
    _count("frames_captured", "Frames due less those lost or paused"),
    *(
        _count(f"frames_{outcome}", f"Frames due with the outcome {outcome}: {MEANINGS[outcome]}")
        for outcome in Outcome
    ),
    _count("valid_seconds", "Whole seconds with at least one valid frame", "s"),
    Column(
        "coverage",
        "real",
        "How much of the clip was seen",
        low=0,
        high=1,
        formula="valid_seconds / duration_s, at most 1",
    ),
    Column(
        "sufficient",
        "boolean",
        "Whether the clip was seen enough to carry scores; this project's convention, settable",
        levels=("0", "1"),
        formula="coverage >= 0.5 and valid_seconds >= 60",
    ),
]
_EMOTION = [
    Column("dominant", "text", "Label of the highest mean", levels=LABELS, nullable=True),
    score("margin", "Lead of the dominant label", "highest mean less the second", low=0, high=1),
    Column(
        "indeterminate",
        "boolean",
        "Whether the dominant label's lead is uncertain",
        levels=("0", "1"),
        nullable=True,
        formula="the 95 % interval of the lead over the second label holds 0",
    ),
]
for _label in LABELS:
    _EMOTION += [
        score(
            f"mean_{_label}",
            f"Mean probability of {_label}",
            "mean over the second series",
            low=0,
            high=1,
        ),
        score(
            f"sd_{_label}",
            f"Spread of the probability of {_label}",
            "sample standard deviation (n - 1) over the sampled series: one frame a second",
            low=0,
        ),
        *_interval(f"mean_{_label}", f"mean_{_label}"),
        score(
            f"n_eff_{_label}",
            f"Effective seconds behind mean_{_label}; below {MINIMUM_N_EFF:g} the figure stands on "
            "little",
            "n^2 / sum over pairs of the fitted autocorrelation",
            low=1,
        ),
        Column(
            f"dwell_{_label}_s",
            "integer",
            f"Seconds spent in {_label}",
            "s",
            low=0,
            nullable=True,
            formula="label of each second's first valid frame, another taking over by a lead of "
            f"{HYSTERESIS:g}",
        ),
        Column(
            f"bouts_{_label}",
            "integer",
            f"Uninterrupted stretches in {_label}",
            low=0,
            nullable=True,
            formula="runs of neighbouring seconds; a gap ends a bout",
        ),
    ]
_INDICES = [
    score(
        "transitions_per_min",
        "Changes of label in a minute of valid seconds",
        "changes between neighbouring seconds / (valid_seconds / 60)",
        unit="1/min",
        low=0,
    ),
    score(
        "negative_mean",
        f"Negative share by probability: {', '.join(sorted(NEGATIVE))}",
        "mean over the second series of their summed probabilities",
        low=0,
        high=1,
    ),
    *_interval("negative_mean", "negative_mean"),
    score("negative_n_eff", "Effective seconds behind negative_mean", "as n_eff", low=1),
    score(
        "negative_time",
        "Negative share by time",
        "seconds dwelt in a negative label / valid_seconds",
        low=0,
        high=1,
    ),
    score(
        "negative_mssd",
        "Instability of the negative probability (mean square successive difference)",
        "mean of (x[t+1] - x[t])^2 over neighbouring seconds of the sampled series; null below 30 "
        "pairs",
        low=0,
    ),
    score(
        "negative_inertia",
        "Inertia of the negative probability (lag-1 autocorrelation)",
        "over neighbouring seconds of the sampled series; null below 30 pairs or without variance",
        low=-1,
        high=1,
    ),
    score(
        "expressivity_mean",
        "Expressivity index: how far the face is from neutral",
        "mean over the second series of 1 - P(neutral)",
        low=0,
        high=1,
    ),
    *_interval("expressivity_mean", "expressivity_mean"),
    score("expressivity_n_eff", "Effective seconds behind expressivity_mean", "as n_eff", low=1),
    score(
        "expressivity_sd",
        "Spread of the expressivity index",
        "sample standard deviation (n - 1) of 1 - P(neutral) over the sampled series",
        low=0,
    ),
    score(
        "expressivity_mssd",
        "Instability of the expressivity index",
        "as negative_mssd, of 1 - P(neutral)",
        low=0,
    ),
    score(
        "expressivity_inertia",
        "Inertia of the expressivity index",
        "as negative_inertia, of 1 - P(neutral)",
        low=-1,
        high=1,
    ),
    score(
        "motion_energy",
        "Facial motion energy",
        "mean absolute change, within a second, of the aligned crop over its mean luma",
        low=0,
    ),
    score(
        "variety_bits",
        "Variety: entropy of the mean probabilities",
        "-sum m log2 m over the seven means",
        unit="bit",
        low=0,
        high=2.8074,
    ),
    score(
        "doubt_bits",
        "The model's doubt: mean entropy of single frames",
        "-sum p log2 p of each valid frame, averaged over its second, then over seconds",
        unit="bit",
        low=0,
        high=2.8074,
    ),
]

CORRECTED: tuple[Column, ...] = (
    Column(
        "corrected_start_utc",
        "moment",
        "Start of the clip where the clock was only set after it: take this, where it is not null, "
        "before start_utc",
        nullable=True,
        formula="start_monotonic_s + (UTC - CLOCK_MONOTONIC), once UTC is known in the same boot",
    ),
    Column(
        "corrected_utc_offset",
        "text",
        "Offset of local time from UTC at corrected_start_utc; goes with it as utc_offset does "
        "with start_utc",
        "±hh:mm",
        nullable=True,
        formula="the zone's at corrected_start_utc",
    ),
)
"""The columns of ``clips`` that are filled in when the time becomes known."""

AGAINST_BASELINE: tuple[Column, ...] = (
    Column(
        "baseline_id",
        "integer",
        "The baseline that held at the clip's start; null before there is one",
        nullable=True,
    ),
    *(
        score(
            f"z_{name}",
            f"{name} against the patient's own baseline",
            "(value - median) / (1.4826 MAD)",
        )
        for name in BASELINE_INDICES
    ),
)
"""The columns of ``clips`` that compare a clip with the patient's baseline."""

SCORES: tuple[Column, ...] = (*_EMOTION, *_INDICES)
"""The columns of ``clips`` that a clip which was not seen enough leaves null."""

CLIPS: tuple[Column, ...] = (
    *(*_IDENTITY, *_TIME, *_COVERAGE, *SCORES),
    *(*AGAINST_BASELINE, *CORRECTED),
)
"""The columns of the table ``clips``, in order."""
