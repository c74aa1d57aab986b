"""How clips are shown: a line, a page, a table, CSV, JSON."""

import csv
import json
import math
import sys
from collections.abc import Iterable
from datetime import datetime

import click
from tabulate import tabulate

from edge_fea.capture.clock import parse_iso
from edge_fea.emotions import LABELS
from edge_fea.store.moments import happened, is_doubtful
from edge_fea.store.rows import Row
from edge_fea.summary.intervals import MINIMUM_N_EFF
from edge_fea.vision.observation import MEANINGS, Outcome

FORMAT_OPTION = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the clips are printed.",
)


class _Moment(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = parse_iso(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no ISO 8601 moment such as 2026-11-22 or 2026-11-22T18:00+01:00",
                param,
                ctx,
            )
        if not 1970 <= moment.year < 2200:
            self.fail(f"{value!r} must lie between 1970 and 2200", param, ctx)
        return moment


MOMENT = _Moment()


def clip_line(row: Row) -> str:
    """One line for a log."""
    return (
        f"clip {row['clip_id']} {row['ended_by'] or 'running'}: {row['duration_s']:.0f} s, "
        f"seen {row['coverage']:.0%}, {strongest(row)}"
    )


def describe(row: Row) -> str:
    """One page for a person."""
    start = happened(row)
    lines = [
        f"clip {row['clip_id']}",
        f"  {start:%Y-%m-%d %H:%M:%S %z} {row['zone']}, {row['duration_s']:.0f} s, "
        f"ended by {row['ended_by'] or '(running)'}{_clock_note(row)}",
        f"  patient {row['patient']}, device {row['device_id']}, network "
        f"{row['model_sha256'][:12]}, edge-fea {row['app_version']}",
        # A second is one that has begun: six of them within 5.2 s.
        f"  seen {row['valid_seconds']} of {math.ceil(row['duration_s'])} s "
        f"({row['coverage']:.0%}): "
        + ("enough for scores" if row["sufficient"] else "not enough for scores"),
        f"  {row['frames_due']} frames due:",
    ]
    lines += [
        f"    {row[f'frames_{outcome}']:6d}  {outcome:15} {MEANINGS[outcome]}"
        for outcome in Outcome
        if row[f"frames_{outcome}"]
    ]
    if row["sufficient"]:
        lines.append(f"  {strongest(row)}, {_lead(row)}")
        lines.append("    label      mean  95 % interval    SD     seconds in it")
        lines += [
            f"    {label:9} {row[f'mean_{label}']:.3f}  {row[f'mean_{label}_low']:.3f} to "
            f"{row[f'mean_{label}_high']:.3f}  {row[f'sd_{label}']:.3f}  "
            f"{row[f'dwell_{label}_s']:5d}{_flag(row[f'n_eff_{label}'])}"
            for label in LABELS
        ]
        lines.append(
            f"  negative {row['negative_mean']:.3f} ({row['negative_mean_low']:.3f} to "
            f"{row['negative_mean_high']:.3f}), expressivity {row['expressivity_mean']:.3f} "
            f"({row['expressivity_mean_low']:.3f} to {row['expressivity_mean_high']:.3f})"
        )
    return "\n".join(lines)


def echo_clips(rows: Iterable[Row], form: str, columns: list[str] | None = None) -> None:
    """Print clips as ``table``, ``csv`` (every column, empty for null) or ``json``.

    CSV and JSON are printed clip by clip: those of a year do not fit into a Pi's memory.
    """
    if form == "json":
        _echo_json(rows)
    elif form == "csv":
        _echo_csv(rows, columns)
    else:
        click.echo(tabulate([_short(row) for row in rows], headers="keys") or "no clips")


def _echo_json(rows: Iterable[Row]) -> None:
    """What ``json.dumps(list(rows), indent=1)`` gives, and a line's end."""
    mark = "["
    for row in rows:
        text = json.dumps(row, indent=1).replace("\n", "\n ")
        sys.stdout.write(f"{mark}\n {text}")
        mark = ","
    sys.stdout.write("[]\n" if mark == "[" else "\n]\n")


def _echo_csv(rows: Iterable[Row], columns: list[str] | None) -> None:
    writer = None if columns is None else _csv_writer(columns)
    for row in rows:
        writer = writer or _csv_writer(list(row))
        writer.writerow(row)


def _csv_writer(columns: list[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    return writer


def _short(row: Row) -> dict[str, object]:
    return {
        "clip": row["clip_id"],
        "start": f"{happened(row):%Y-%m-%d %H:%M:%S %z}",
        "s": round(row["duration_s"]),
        "ended": row["ended_by"] or "(running)",
        "patient": row["patient"],
        "seen": f"{row['coverage']:.0%}",
        "strongest": strongest(row),
    }


def strongest(row: Row) -> str:
    """The strongest expression of a clip and its mean, or that it was not seen enough."""
    if not row["sufficient"]:
        return "not seen enough"
    return f"{row['dominant']} {row['mean_' + row['dominant']]:.2f}"


def _lead(row: Row) -> str:
    lead = f"{row['margin']:.2f} ahead of the next"
    return lead + (", but not surely" if row["indeterminate"] else "")


def _flag(n_eff: float) -> str:
    return "  (interval uncertain)" if n_eff < MINIMUM_N_EFF else ""


def _clock_note(row: Row) -> str:
    if is_doubtful(row):
        return "; clock was not synchronized"
    return "; start corrected when the clock was set" if row["corrected_start_utc"] else ""
