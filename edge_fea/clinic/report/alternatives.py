"""The text alternative of each chart: what somebody who cannot see it must know."""

from edge_fea.clinic.report.charts_coverage import reason_rows
from edge_fea.clinic.report.charts_readings import EXPRESSIONS, IN_PERCENT
from edge_fea.clinic.report.estimates import Estimate
from edge_fea.clinic.report.findings import INDICES, LEAST_DAYS, Findings, Week
from edge_fea.clinic.report.words import Words

_LONG_BANDS = ("1 to 5 min", "over 5 min")


def seen_by_day(findings: Findings, words: Words) -> str:
    """Of the chart of hours seen on each day."""
    coverage = findings.coverage
    count = words.whole(len(coverage.days))
    off = words.whole(sum(day.recorded_h == 0 for day in coverage.days))
    seen = [day.seen_h for day in coverage.days if day.valid]
    if coverage.mean_seen_h is None:
        return words("days.description_none", days=count, off=off)
    return words(
        "days.description",
        days=count,
        average=words.hours(coverage.mean_seen_h),
        least=words.hours(min(seen)),
        most=words.hours(max(seen)),
        off=off,
    )


def reasons(findings: Findings, words: Words) -> str:
    """Of the chart of what became of the time."""
    parts = [
        f"{name} {words.hours(hours)} ({words.percent(share, 0)})"
        for name, hours, share in reason_rows(findings.coverage, words)
    ]
    whole = words.hours(findings.coverage.period_s / 3600.0)
    return words("reasons.description", whole=whole, parts="; ".join(parts))


def expressions(findings: Findings, words: Words) -> str:
    """Of the chart of the seven expressions."""
    names = {f"mean_{name}": words(f"expressions.{name}") for name in EXPRESSIONS}
    names["negative_mean"] = words("measures.negative_mean")
    values = [_value(label, findings.period[name], words) for name, label in names.items()]
    days = words.whole(len(findings.days))
    return words("expressions_chart.description", days=days, values="; ".join(values))


def _value(label: str, value: Estimate, words: Words) -> str:
    share = words.percent(value.mean)
    if value.low is None or value.high is None:
        return words("expressions_chart.value_bare", name=label, share=share)
    interval = words.range(words.number(100.0 * value.low), words.percent(value.high))
    return words("expressions_chart.value", name=label, share=share, interval=interval)


def against_usual(findings: Findings, words: Words) -> str:
    """Of the chart of the latest days against the usual range."""
    values = []
    for name in IN_PERCENT:
        change = findings.comparison.of(name)
        if change.usual is not None:
            after = "\N{EN DASH}" if change.after is None else words.percent(change.after)
            values.append(
                words(
                    "usual.value",
                    name=words(f"measures.{name}"),
                    low=words.number(100.0 * change.usual.low),
                    high=words.percent(change.usual.high),
                    after=after,
                )
            )
    days = words.whole(len(findings.comparison.after))
    return words("usual.description", days=days, values="; ".join(values))


def by_hour(findings: Findings, words: Words) -> str:
    """Of the chart by hour of the day."""
    known = [(h.hour, h.figures["negative_mean"]) for h in findings.hours if h.figures]
    highest, lowest = max(known, key=lambda each: each[1]), min(known, key=lambda each: each[1])
    return words(
        "hours.description",
        hours=", ".join(str(hour) for hour, _ in known),
        highest=words.percent(highest[1]),
        highest_hour=highest[0],
        lowest=words.percent(lowest[1]),
        lowest_hour=lowest[0],
    )


def seen_by_hour_of_day(findings: Findings, words: Words) -> str:
    """Of the grid of days and hours."""
    days = findings.coverage.days
    shares: dict[int, list[float]] = {}
    for day in days:
        for hour, share in day.hours.items():
            shares.setdefault(hour, []).append(share)
    means = {hour: sum(values) / len(values) for hour, values in shares.items()}
    best = max(means, key=lambda hour: means[hour])
    return words(
        "map.description",
        days=words.whole(len(days)),
        best=best,
        share=words.percent(means[best], 0),
    )


def over_time(findings: Findings, words: Words) -> str:
    """Of the charts by day and week."""
    values = []
    for name in INDICES:
        label = words(f"measures.{name}")
        weeks = [week for week in findings.weeks if _mean(week, name) is not None]
        if not weeks:
            values.append(words("trend.value_few", name=label, need=LEAST_DAYS))
            continue
        means = [mean for week in weeks if (mean := _mean(week, name)) is not None]
        values.append(
            words(
                "trend.value",
                name=label,
                first=words.percent(means[0]),
                first_week=words.short_day(weeks[0].monday),
                last=words.percent(means[-1]),
                last_week=words.short_day(weeks[-1].monday),
                low=words.percent(min(means)),
                high=words.percent(max(means)),
            )
        )
    days = words.whole(len(findings.coverage.days))
    return words("trend.description", days=days, values=" ".join(values))


def _mean(week: Week, name: str) -> float | None:
    value = week.figures.get(name)
    return None if value is None or value.low is None else value.mean


def durations(findings: Findings, words: Words) -> str:
    """Of the chart of how long each expression lasted."""
    clips = findings.scored_clips
    values = []
    for name in EXPRESSIONS:
        bands = findings.bands[name]
        long = sum(bands.get(band, 0) for band in _LONG_BANDS)
        values.append(
            words(
                "bands.value",
                name=words(f"expressions.{name}"),
                never=words.percent(bands.get("never", 0) / clips, 0),
                long=words.percent(long / clips, 0),
            )
        )
    return words("bands.description", clips=words.whole(clips), values=" ".join(values))
