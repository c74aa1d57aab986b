"""Commands that read the database: clips, show."""

import json
from datetime import datetime

import click

from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.formats import FORMAT_OPTION, MOMENT, describe, echo_clips
from edge_fea.store.clips import ClipFilter, ClipReader


def _reader(options: Options) -> ClipReader:
    store = options.settings().store
    return ClipReader(store.database, busy_timeout=store.busy_timeout_s)


@click.command()
@click.option("--from", "start", type=MOMENT, help="Clips that start at or after this moment.")
@click.option("--to", "end", type=MOMENT, help="Clips that start before this moment.")
@click.option("--patient", help="Clips of this pseudonym.")
@click.option(
    "--sufficient/--insufficient", default=None, help="Clips seen enough for scores, or not."
)
@click.option("--running", is_flag=True, help="The running clip too.")
@click.option("--limit", type=click.IntRange(min=1), help="The latest so many.")
@FORMAT_OPTION
@pass_options
def clips(
    options: Options,
    start: datetime | None,
    end: datetime | None,
    patient: str | None,
    sufficient: bool | None,
    running: bool,
    limit: int | None,
    form: str,
) -> None:
    """List clip summaries, the latest last. A moment without an offset is taken as UTC."""
    wanted = ClipFilter(start, end, patient, sufficient, running)
    with _reader(options) as reader:
        echo_clips(reader.clips(wanted, limit), form, reader.columns())


@click.command()
@click.argument("clip")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For people, or for programs.",
)
@pass_options
def show(options: Options, clip: str, form: str) -> None:
    """Show one CLIP: its id, the beginning of it, or `last`."""
    with _reader(options) as reader:
        row = reader.clip(clip)
    click.echo(json.dumps(row, indent=1) if form == "json" else describe(row))
