"""The tables of a report as text, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge_fea.clinic.report.charts_readings import EXPRESSIONS, IN_PERCENT
from edge_fea.clinic.report.estimates import Estimate
from edge_fea.clinic.report.findings import INDICES, Findings
from edge_fea.clinic.report.notable import NotableClip
from edge_fea.clinic.report.words import Words
from edge_fea.store.moments import is_doubtful
from edge_fea.vision.manifest import Manifest

_DASH = "\N{EN DASH}"
# More days than these are a table that nobody reads: the weeks then stand for them.
MOST_DAYS = 124
# What the manifest's names of data sets hold; the first that fits counts.
_DATASETS = {
    "kdef_five": ("KDEF frontal", "five"),
    "kdef_frontal": ("KDEF frontal",),
    "kdef_profile": ("KDEF half profile",),
    "fer_majority": ("FER+", "majority"),
    "fer": ("FER+",),
    "lfw": ("LFW",),
}
# What the limits in the catalogue are written for.
_LEARNT = ("FER2013", "LFW", "KDEF")


def week_rows(findings: Findings, words: Words) -> list[list[str]]:
    """Week, days, hours seen and on, the two indices with half their interval, the expressions."""
    rows = []
    for week in findings.weeks:
        indices = (week.figures.get(name) for name in INDICES)
        expressions = (week.figures.get(f"mean_{label}") for label in EXPRESSIONS)
        rows.append(
            [
                words.short_day(week.monday),
                words.whole(week.days),
                words.number(week.seen_h),
                words.number(week.recorded_h),
                *(_with_half_interval(value, words) for value in indices),
                *(_bare(value, words) for value in expressions),
            ]
        )
    return rows


def _with_half_interval(value: Estimate | None, words: Words) -> str:
    if value is None or value.low is None or value.high is None:
        return _DASH
    half = (value.high - value.low) / 2.0
    plus = f"{words.number(100.0 * value.mean)} ±"
    return f"{plus}\N{NO-BREAK SPACE}{words.number(100.0 * half)}"


def _bare(value: Estimate | None, words: Words) -> str:
    if value is None or value.low is None:
        return _DASH
    return words.number(100.0 * value.mean)


def day_rows(findings: Findings, words: Words) -> list[list[str]]:
    """Day, hours seen, negative, expressivity, happy; empty for more days than ``MOST_DAYS``."""
    if len(findings.coverage.days) > MOST_DAYS:
        return []
    figures = {day.day: day.figures for day in findings.days}
    rows = []
    for day in findings.coverage.days:
        known = figures.get(day.day)
        mark = "°" if day.uncertain else ""
        seen = words.number(day.seen_h) if day.recorded_h > 0 else _DASH
        values = (
            _DASH if known is None else words.number(100.0 * known[name]) for name in IN_PERCENT
        )
        rows.append([words.short_day(day.day) + mark, seen, *values])
    return rows


class Compared(NamedTuple):
    """A figure of a clip, and what was usual for the patient then; empty where not known."""

    value: str
    usual: str


@dataclass(frozen=True, slots=True)
class NotableRow:
    """One clip that stands out, as text."""

    when: str
    doubtful: bool
    """Whether its clock was not known to be right."""

    seen: str
    mostly: str
    negative: Compared
    expressivity: Compared
    reasons: Sequence[str]


def notable_rows(findings: Findings, words: Words) -> list[NotableRow]:
    """The clips that stand out."""
    return [_notable(clip, words) for clip in findings.notable]


def _notable(clip: NotableClip, words: Words) -> NotableRow:
    row = clip.row
    doubtful = is_doubtful(row)
    mark = "°" if doubtful else ""
    mostly = words(f"expressions.{row['dominant']}")
    kind = "than_usual" if clip.compared else "most"
    return NotableRow(
        when=f"{words.short_day(clip.start.date())}, {clip.start:%H:%M}{mark}",
        doubtful=doubtful,
        seen=words.percent(row["coverage"], 0),
        mostly=words("notable.unclear") if row["indeterminate"] else mostly,
        negative=_clip_value(row["negative_mean"], "negative_mean", clip, words),
        expressivity=_clip_value(row["expressivity_mean"], "expressivity_mean", clip, words),
        reasons=[words(f"notable.{kind}_{reason}") for reason in clip.reasons],
    )


def _clip_value(value: float, name: str, clip: NotableClip, words: Words) -> Compared:
    low, high = (words.number(100.0 * clip.row[f"{name}_{end}"], 0) for end in ("low", "high"))
    usual = None if clip.baseline is None else clip.baseline[f"median_{name}"]
    return Compared(
        f"{words.percent(value, 0)} ({words.range(low, high)})",
        "" if usual is None else words("notable.usual_then", usual=words.percent(usual, 0)),
    )


def _dataset(name: str, words: Words) -> str:
    """What the pictures are, in plain words; the manifest's own name where it is a new one."""
    for key, parts in _DATASETS.items():
        if all(part in name for part in parts):
            return words(f"datasets.{key}")
    return name


def accuracy_rows(manifest: Manifest, words: Words) -> list[list[str]]:
    """Data set, number of pictures, accuracy and its interval, as the manifest has them."""
    rows = []
    for figure in manifest.figures:
        if figure.measure == "accuracy":
            interval = words("methods.no_interval")
            if figure.low is not None and figure.high is not None:
                interval = words.range(words.number(100 * figure.low), words.percent(figure.high))
            rows.append(
                [
                    _dataset(figure.data, words),
                    words.whole(figure.n),
                    words.percent(figure.value),
                    interval,
                ]
            )
    return rows


def limits(manifest: Manifest | None, words: Words) -> list[str]:
    """What the network cannot do, by what its manifest says that it learnt from.

    ``manifest`` is None where it is not that of the network that read the clips.
    """
    learnt = manifest.training.data if manifest else []
    if learnt and all(name.startswith(_LEARNT) for name in learnt):
        found = words.listed("methods.limits_learnt")
    else:
        data = "; ".join(learnt) or _DASH
        found = [text.replace("{data}", data) for text in words.listed("methods.limits_not_known")]
    return [*found, *words.listed("methods.limits")]
