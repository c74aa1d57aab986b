"""The command that makes a pack: pack."""

import sys
from datetime import date
from pathlib import Path

import click

from edge_fea.capture.clock import SystemClock, iso
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.spans import span, span_options
from edge_fea.clinic.outlet import translated_output
from edge_fea.clinic.packing import Packed, PackOrder, pack_into, pack_through


@click.command()
@span_options
@click.option(
    "--since-last",
    is_flag=True,
    help="From where the packs end that the same user, key or stick has received.",
)
@click.option("--patient", help="Clips of this pseudonym; all patients otherwise.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file, or the folder for a file with a name of its own; otherwise standard output.",
)
@pass_options
def pack(
    options: Options,
    first: date | None,
    last: date | None,
    since_last: bool,
    patient: str | None,
    output: Path | None,
) -> None:
    """Bundle reports, clips and data dictionary for clinicians: signed and encrypted.

    Only those whose keys are in clinic.recipients can read it. It holds a report on each patient
    (HTML), the clips as CSV and FHIR, the data dictionary, and a manifest with hashes that the
    device signs. The running clip is left out. Each pack leaves its rows in the audit trail.
    """
    if since_last and first is not None:
        raise click.UsageError("--since-last says where to begin: leave out --from")
    if output is None and sys.stdout.isatty():
        raise click.UsageError("a pack is binary and would upset the terminal: give -o FOLDER")
    settings, trail, clock = options.settings(), options.trail(), SystemClock()
    order = PackOrder(options.actor(), patient, *span(first, last, settings), since_last)
    if output is not None:
        done = pack_into(output, order, settings, trail, clock)
    else:
        with translated_output(Path("standard output")):
            done = pack_through(sys.stdout.buffer, order, settings, trail, clock)
    # On stderr: standard output may be the pack itself.
    click.echo(_told(done), err=True)


def _told(done: Packed) -> str:
    clips = "1 clip" if done.clips == 1 else f"{done.clips} clips"
    people = "1 patient" if len(done.patients) == 1 else f"{len(done.patients)} patients"
    begin = "from the first clip" if done.start is None else f"from {iso(done.start)}"
    plain = "" if done.encrypted else "\nit is not encrypted: whoever has the file can read it"
    return (
        f"{clips} of {people}, {begin} to {iso(done.end)}, to "
        f"{done.path or 'standard output'}: {done.size} bytes, SHA-256 {done.sha256}{plain}"
    )
