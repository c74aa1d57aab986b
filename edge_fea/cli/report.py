"""The command for clinicians: report."""

import io
import sys
from datetime import date
from pathlib import Path
from typing import BinaryIO

import click

from edge_fea.capture.clock import SystemClock
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.spans import span, span_options
from edge_fea.clinic.handover import on_record
from edge_fea.clinic.outlet import HashingWriter, refuse_taken, translated_output, write_whole
from edge_fea.clinic.report import render_html, write_pdf
from edge_fea.clinic.selection import Selection
from edge_fea.store.audit import AuditEntry
from edge_fea.store.clips import ClipFilter, ClipReader


@click.command()
@span_options
@click.option("--patient", help="Clips of this pseudonym; needed where there are several.")
@click.option(
    "--language",
    help="Language of the report, en or de, or the path of a catalogue (.toml); otherwise that of "
    "the settings.",
)
@click.option("--pdf", is_flag=True, help="PDF instead of HTML (needs the extra `report`).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; otherwise standard output.",
)
@pass_options
def report(
    options: Options,
    first: date | None,
    last: date | None,
    patient: str | None,
    language: str | None,
    pdf: bool,
    output: Path | None,
) -> None:
    """Write a report on one patient for clinicians: one page of overview first.

    One HTML file that needs nothing else, or with --pdf the same for print on A4. Days are those
    of the patient's time zone (device.time_zone), from midnight to midnight; without --from and
    --to all clips are in it. The file must not exist yet; it is written whole or not at all, and
    read back. Each report leaves a row in the audit trail.
    """
    if pdf and output is None and sys.stdout.isatty():
        raise click.UsageError("a PDF would upset the terminal: give -o FILE.pdf")
    _refuse_name(output, pdf)
    settings, clock = options.settings(), SystemClock()
    start, end = span(first, last, settings)
    store = settings.store
    form = "pdf" if pdf else "html"
    entry = AuditEntry(options.actor(), "report", "begun", patient, start, end, form)
    with (
        ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader,
        on_record(options.trail(), entry, clock) as receipt,
    ):
        if output is not None:
            refuse_taken(output)
        selection = Selection(reader, ClipFilter(start, end, patient))
        with reader.one_moment():
            html = render_html(selection, settings, made=clock.now(), language=language)
            receipt.patients = tuple(selection.patients())
        receipt.size, receipt.sha256 = _written(_pdf(html) if pdf else html.encode(), output)
    # On stderr: standard output may be the report itself.
    click.echo(
        f"report as {form} to {output or 'standard output'}: {receipt.size} bytes, "
        f"SHA-256 {receipt.sha256}",
        err=True,
    )


def _refuse_name(output: Path | None, pdf: bool) -> None:
    """Whoever opens a file goes by its name. Raises UsageError where that says the other format."""
    ending = output.suffix.lower() if output else ""
    if pdf and ending in (".html", ".htm"):
        raise click.UsageError(f"{output} is the name of a page, and --pdf writes a PDF: -o X.pdf")
    if not pdf and ending == ".pdf":
        raise click.UsageError(f"{output} is the name of a PDF: give --pdf too, or -o X.html")


def _pdf(html: str) -> bytes:
    out = io.BytesIO()
    write_pdf(html, out)
    return out.getvalue()


def _written(content: bytes, output: Path | None) -> tuple[int, str]:
    def write(file: BinaryIO) -> None:
        file.write(content)

    if output is not None:
        done = write_whole(output, write)
        return done.size, done.sha256
    with translated_output(Path("standard output")):
        out = HashingWriter(sys.stdout.buffer)
        out.write(content)
        out.flush()
    return out.size, out.sha256
