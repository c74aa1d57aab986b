"""The command that gathers clips: summary."""

import csv
import json
import sys
from datetime import date
from typing import get_args

import click
from tabulate import tabulate

from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.formats import FORMAT_OPTION
from edge_fea.cli.spans import span, span_options
from edge_fea.errors import NotFoundError, UnclearError
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.store.hours import ClipsOfHour
from edge_fea.store.rows import Row
from edge_fea.summary.periods import (
    FIGURES,
    By,
    LocalClip,
    Period,
    late_minus_midday,
    periods,
    valid_days,
    weekly_trend,
)


@click.command()
@click.option(
    "--by",
    type=click.Choice(get_args(By)),
    default="day",
    show_default=True,
    help="Hour of the day, part of the day, day, or week of local time.",
)
@span_options
@click.option("--patient", help="Clips of this pseudonym.")
@FORMAT_OPTION
@pass_options
def summary(
    options: Options,
    by: By,
    first: date | None,
    last: date | None,
    patient: str | None,
    form: str,
) -> None:
    """Gather clips by the patient's local time, with coverage beside every figure.

    Clips of two patients or two networks are never gathered into one figure. The table adds late
    afternoon less midday of the negative share, and its trend over weeks, both over valid days:
    days with sufficient clips in enough parts of the day.
    """
    settings = options.settings()
    start, end = span(first, last, settings)
    store = settings.store
    with ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader:
        known = reader.patients()
        if patient is not None and patient not in known:
            raise NotFoundError(
                f"no clips of patient {patient}, but of {', '.join(known) or 'none'}"
            )
        wanted = ClipFilter(start, end, patient or _only(known, "patient", "--patient"))
        _only(reader.networks(wanted), "network", "--from and --to between their changes")
        clips = [_local(hour) for hour in reader.hours(FIGURES, wanted)]
    rows = [_row(by, period) for period in periods(clips, by)]
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, _header(by), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        click.echo(_table(by, rows))
        click.echo(_contrasts(clips, settings.baseline.least_dayparts))


def _only(names: list[str], what: str, option: str) -> str | None:
    """The one there is. Two patients, or two networks, are never put into one figure."""
    if len(names) > 1:
        raise UnclearError(
            f"the clips are of {len(names)} {what}s ({', '.join(name[:12] for name in names)}): "
            f"give {option}"
        )
    return names[0] if names else None


def _local(hour: ClipsOfHour) -> LocalClip:
    return LocalClip(
        hour.start,
        hour.duration_s,
        hour.valid_seconds,
        hour.sufficient,
        hour.means,
        hour.synchronized,
        hour.clips,
    )


def _header(by: By) -> list[str]:
    seen = ["clips", "sufficient_clips", "unsynchronized_clips"]
    return [by, *seen, "recorded_s", "valid_seconds", "coverage", *FIGURES]


def _row(by: By, period: Period) -> Row:
    return {
        by: period.name,
        "clips": period.clips,
        "sufficient_clips": period.sufficient_clips,
        "unsynchronized_clips": period.unsynchronized_clips,
        "recorded_s": period.recorded_s,
        "valid_seconds": period.valid_seconds,
        "coverage": period.coverage,
        **period.figures,
    }


def _table(by: By, rows: list[Row]) -> str:
    shown = [
        {
            by: row[by],
            "clips": row["clips"],
            "enough": row["sufficient_clips"],
            "seen": f"{row['coverage']:.0%}",
            **{name.replace("mean_", "").replace("_mean", ""): row[name] for name in FIGURES},
        }
        for row in rows
    ]
    return tabulate(shown, headers="keys", floatfmt=".2f", missingval="-") or "no clips"


def _contrasts(clips: list[LocalClip], least_dayparts: int) -> str:
    days = valid_days(clips, least_dayparts)
    lines = [f"valid days: {len(days)} (sufficient clips in {least_dayparts} parts of the day)"]
    contrast = late_minus_midday(days)
    if contrast is None:
        lines.append("negative share, late afternoon less midday: too few valid days with both")
    else:
        lines.append(
            f"negative share, late afternoon less midday: {contrast.mean:+.3f} "
            f"({contrast.low:+.3f} to {contrast.high:+.3f}), {contrast.days} days, "
            f"seen {contrast.coverage:.0%}"
        )
    trend = weekly_trend(days)
    if trend is None:
        lines.append("negative share, trend: too few weeks with valid days")
    else:
        lines.append(
            f"negative share, trend: {trend.per_week:+.4f} a week "
            f"({trend.low:+.4f} to {trend.high:+.4f}), {trend.weeks} weeks, "
            f"seen {trend.coverage:.0%}"
        )
    counted = sum(clip.clips for clip in clips)
    doubtful = sum(clip.clips for clip in clips if not clip.synchronized)
    if doubtful:
        lines.append(
            f"{doubtful} of {counted} clips: the clock was not synchronized, so their hour "
            "and day may be wrong"
        )
    return "\n".join(lines)
