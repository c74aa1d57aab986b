"""What a report says in sentences: the summary, what to read with care, what changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_fea.clinic.report.charts_readings import EXPRESSIONS
from edge_fea.clinic.report.compare import LEAST_DAYS, Against, Change, Comparison, Verdict
from edge_fea.clinic.report.equipment import equipment
from edge_fea.clinic.report.estimates import DayValues
from edge_fea.clinic.report.findings import INDICES, Findings
from edge_fea.clinic.report.words import Words

# Below this share of the recorded time the figures stand on little.
_LITTLE = 0.10
# What a reader sees of a change at once; each stands before its sentence.
_MARKS: Final = {Verdict.HIGHER: "▲ ", Verdict.LOWER: "▼ "}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the summary."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One row of what changed, as text."""

    name: str
    before: str
    after: str
    difference: str
    interval: str
    verdict: Verdict
    words: str


def in_short(findings: Findings, words: Words, least_dayparts: int) -> list[Point]:
    """The first lines that anybody reads."""
    coverage = findings.coverage
    counts = {
        "valid": words.whole(len(findings.days)),
        "days": words.whole(len(coverage.days)),
        "parts": words.whole(least_dayparts),
    }
    if coverage.mean_seen_h is None or not findings.period:
        counts.pop("valid")
        return [Point(words("short.seen"), words("short.seen_none", **counts))]
    usual = words.hours(coverage.mean_seen_h)
    points = [Point(words("short.seen"), words("short.seen_text", hours=usual, **counts))]
    points.append(Point(words("short.mix"), _mix(findings, words)))
    points += [_short_change(findings, name, words) for name in INDICES]
    return points


def _mix(findings: Findings, words: Words) -> str:
    means = {name: findings.period[f"mean_{name}"].mean for name in EXPRESSIONS}
    strongest = sorted(means, key=lambda name: -means[name])[:3]
    texts = {}
    for place, name in zip(("first", "second", "third"), strongest, strict=True):
        texts[place] = words(f"expressions.{name}")
        texts[f"{place}_share"] = words.percent(means[name])
    return words("short.mix_text", **texts)


def _short_change(findings: Findings, name: str, words: Words) -> Point:
    label = words(f"measures.{name}")
    told = [_told(each, name, words) for each in findings.comparisons]
    return Point(label, " ".join(text for text in told if text) or words("short.change_few"))


def _told(comparison: Comparison, name: str, words: Words) -> str:
    """What changed against the usual, or against the first baseline; empty with too few days."""
    change = comparison.of(name)
    verdict = change.verdict
    if verdict is Verdict.FEW or change.before is None or change.after is None:
        return ""
    kind = "first" if comparison.against is Against.FIRST else "change"
    text = words(
        f"short.{kind}_{verdict}",
        count=words.whole(len(comparison.after)),
        days=span(comparison.before, words),
        before=words.percent(change.before),
        after=words.percent(change.after),
    )
    return _MARKS.get(verdict, "") + text


def cares(findings: Findings, words: Words) -> list[str]:
    """What a reader must know before trusting a figure; usually nothing."""
    coverage = findings.coverage
    found = []
    if coverage.seen_s < _LITTLE * coverage.recorded_s:
        share = words.percent(coverage.seen_s / max(1.0, coverage.recorded_s))
        found.append(words("care.little", share=share))
    if coverage.unsynchronized_clips == coverage.clips:
        found.append(words("care.clock_all"))
    elif coverage.unsynchronized_clips:
        found.append(words("care.clock", hours=words.hours(coverage.unsynchronized_s / 3600.0)))
    if coverage.undated_clips:
        found.append(words("care.undated", hours=words.hours(coverage.undated_s / 3600.0)))
    found += equipment(findings, words)
    if {"video", "pictures", "demo"} & set(findings.sources):
        found.append(words("care.demo"))
    return found


@dataclass(frozen=True, slots=True)
class ChangeBlock:
    """The rows of one comparison, and what it is with."""

    heading: str
    rows: Sequence[ChangeRow]


def change_blocks(findings: Findings, words: Words) -> list[ChangeBlock]:
    """What changed, figure by figure, against the usual and against the first baseline."""
    return [
        ChangeBlock(_heading(each, words), [_change_row(change, words) for change in each.changes])
        for each in findings.comparisons
    ]


def _heading(comparison: Comparison, words: Words) -> str:
    if len(comparison.before) < LEAST_DAYS:
        return words("changes.against_few")
    kind = "first" if comparison.against is Against.FIRST else "usual"
    return words(
        f"changes.against_{kind}",
        count=words.whole(len(comparison.before)),
        days=span(comparison.before, words),
    )


def _change_row(change: Change, words: Words) -> ChangeRow:
    dash = "\N{EN DASH}"
    before, after, difference, interval = dash, dash, dash, dash
    scale = _scale(change)
    if scale is not None:
        if change.before is not None:
            before = scale.shown(change.before * scale.factor, words)
        if change.after is not None:
            after = scale.shown(change.after * scale.factor, words)
        if change.shift is not None:
            low, high = (scale.factor * end for end in (change.shift.low, change.shift.high))
            interval = words.range(
                words.signed(low, scale.digits), words.signed(high, scale.digits) + scale.unit
            )
            difference = words.signed(_as_printed(change, scale), scale.digits) + scale.unit
    return ChangeRow(
        name=words(f"measures.{change.figure}"),
        before=before,
        after=after,
        difference=difference,
        interval=interval,
        verdict=change.verdict,
        words=words(f"changes.{change.verdict}"),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """In what unit a figure is shown."""

    factor: float
    digits: int
    shown: Callable[[float, Words], str]
    unit: str = ""
    """What stands behind a difference."""


def _scale(change: Change) -> _Scale | None:
    """None where a figure can only be shown against a usual one that is not known."""
    if change.figure == "seen_h":
        return _Scale(
            60.0, 0, lambda value, words: words.hours(value / 60.0), "\N{NO-BREAK SPACE}min"
        )
    if change.figure == "motion_energy":
        # Its unit says nothing to a reader: shown relative to what is usual.
        if not change.before:
            return None
        return _Scale(100.0 / change.before, 0, lambda value, words: words.whole(value))
    return _Scale(100.0, 1, lambda value, words: words.percent(value / 100.0))


def _as_printed(change: Change, scale: _Scale) -> float:
    """The difference of what stands in the columns before it: a reader subtracts those."""
    before, after = (
        round(scale.factor * value, scale.digits)
        for value in (change.before or 0.0, change.after or 0.0)
    )
    return after - before


def changes_note(findings: Findings, words: Words) -> str:
    """What was compared with what, or how much is missing for a comparison."""
    after, before = findings.comparison.after, findings.comparison.before
    if min(len(after), len(before)) < LEAST_DAYS:
        return words(
            "changes.note_few",
            need=LEAST_DAYS,
            after=words.whole(len(after)),
            before=words.whole(len(before)),
        )
    note = words("changes.note", after=words.whole(len(after)), after_days=span(after, words))
    gone = findings.compared.first_gone
    return note if gone is None else f"{note} {words('changes.first_gone', day=words.day(gone))}"


def usual_note(findings: Findings, words: Words) -> str:
    """What the usual range is made of."""
    before = findings.comparison.before
    if len(before) < LEAST_DAYS:
        return words("usual.few", have=words.whole(len(before)), need=LEAST_DAYS)
    source = words(f"usual.{findings.comparison.against}", days=span(before, words))
    return words("usual.note", count=words.whole(len(before)), source=source)


def span(days: Sequence[DayValues], words: Words) -> str:
    """The first and the last of some days."""
    return words.short_days(days[0].day, days[-1].day)


def trend_sentences(findings: Findings, words: Words) -> list[str]:
    """The trend of each index over the weeks, or that there are too few."""
    found = []
    for name in INDICES:
        trend = findings.trends[name]
        label = words(f"measures.{name}")
        if trend is None:
            found.append(words("trend.slope_few", name=label))
            continue
        way = "up" if trend.low > 0 else "down" if trend.high < 0 else "none"
        verdicts = {each.of(name).verdict for each in findings.comparisons}
        if way == "none" and verdicts & {Verdict.HIGHER, Verdict.LOWER}:
            way = "step"
        slope, low, high = (
            words.signed(100.0 * value, 2) for value in (trend.per_week, trend.low, trend.high)
        )
        found.append(
            words(
                "trend.slope",
                name=label,
                slope=slope,
                low=low,
                high=high,
                weeks=words.whole(trend.weeks),
                verdict=words(f"trend.slope_{way}", changes=words("changes.heading")),
            )
        )
    return found


def contrast_sentence(findings: Findings, words: Words) -> str:
    """Late afternoon less midday, or that there are too few days."""
    contrast = findings.contrast
    if contrast is None:
        return words("hours.contrast_few")
    mean, low, high = (
        words.signed(100.0 * value) for value in (contrast.mean, contrast.low, contrast.high)
    )
    return words("hours.contrast", mean=mean, low=low, high=high, days=words.whole(contrast.days))
