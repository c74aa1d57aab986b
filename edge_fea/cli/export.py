"""The command that writes clips for others: export."""

import sys
from datetime import date
from pathlib import Path

import click

from edge_fea.capture.clock import SystemClock
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.spans import span, span_options
from edge_fea.clinic.export import FORMATS, Exported, Extras, Format, export_file, export_stream
from edge_fea.clinic.handover import on_record
from edge_fea.clinic.outlet import translated_output
from edge_fea.clinic.selection import Selection
from edge_fea.store.audit import AuditEntry
from edge_fea.store.clips import ClipFilter, ClipReader

_LISTED = "\n".join(f"{form.name:9} {form.about}" for form in FORMATS.values())


@click.command(
    help="Write clips as a file for others to read.\n\n"
    f"\b\n{_LISTED}\n\n"
    "The file must not exist yet; it is written whole or not at all, and read back. What the "
    "columns mean: `edge-fea dictionary`. The running clip is left out. Each export leaves a row "
    "in the audit trail."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="Which format.",
)
@span_options
@click.option("--patient", help="Clips of this pseudonym; all patients otherwise.")
@click.option(
    "--sufficient/--insufficient", default=None, help="Clips seen enough for scores, or not."
)
@click.option(
    "--series",
    is_flag=True,
    help="The second series too, where it was kept (csv-zip, bids, sqlite).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; otherwise standard output.",
)
@pass_options
def export(
    options: Options,
    form: str,
    first: date | None,
    last: date | None,
    patient: str | None,
    sufficient: bool | None,
    series: bool,
    output: Path | None,
) -> None:
    """See ``help``, which lists the formats."""
    chosen, extras = FORMATS[form], Extras(series)
    _refuse_unfit(chosen, extras, output)
    settings = options.settings()
    start, end = span(first, last, settings)
    store = settings.store
    entry = AuditEntry(options.actor(), "export", "begun", patient, start, end, form)
    with (
        ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader,
        on_record(options.trail(), entry, SystemClock()) as receipt,
    ):
        selection = Selection(reader, ClipFilter(start, end, patient, sufficient))
        done = _export(chosen, selection, output, extras)
        receipt.size, receipt.sha256, receipt.patients = done.size, done.sha256, done.patients
    # On stderr: standard output may be the export itself.
    click.echo(
        f"{_counted(done.clips, 'clip')} of {_counted(len(done.patients), 'patient')} as {form} to "
        f"{output or 'standard output'}: {done.size} bytes, SHA-256 {done.sha256}",
        err=True,
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _export(form: Format, selection: Selection, output: Path | None, extras: Extras) -> Exported:
    if output is not None:
        return export_file(form, selection, output, extras)
    with translated_output(Path("standard output")):
        return export_stream(form, selection, sys.stdout.buffer, extras)


def _refuse_unfit(form: Format, extras: Extras, output: Path | None) -> None:
    if extras.series and not form.series:
        raise click.UsageError(f"--series: {form.name} cannot carry it; {_able('series')} can")
    if output is None and not form.text and _is_terminal():
        raise click.UsageError(
            f"{form.name} is binary and would upset the terminal: give -o FILE{form.suffix}"
        )


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _able(what: str) -> str:
    return ", ".join(form.name for form in FORMATS.values() if getattr(form, what))
