"""Commands that read the database: clips, show."""

import json
from datetime import date

import click

from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.formats import FORMAT_OPTION, describe, echo_clips
from edge_fea.cli.spans import span, span_options
from edge_fea.store.clips import ClipFilter, ClipReader

# More than a device records in a lifetime, and less than SQLite can count.
MOST_CLIPS = 10_000_000


@click.command()
@span_options
@click.option("--patient", help="Clips of this pseudonym.")
@click.option(
    "--sufficient/--insufficient", default=None, help="Clips seen enough for scores, or not."
)
@click.option("--running", is_flag=True, help="The running clip too.")
@click.option("--limit", type=click.IntRange(1, MOST_CLIPS), help="The latest so many.")
@FORMAT_OPTION
@pass_options
def clips(
    options: Options,
    first: date | None,
    last: date | None,
    patient: str | None,
    sufficient: bool | None,
    running: bool,
    limit: int | None,
    form: str,
) -> None:
    """List clip summaries, the latest last. Days are those of the patient's time zone."""
    settings = options.settings()
    wanted = ClipFilter(*span(first, last, settings), patient, sufficient, running)
    store = settings.store
    with ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader:
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
    store = options.settings().store
    with ClipReader(store.database, busy_timeout=store.busy_timeout_s) as reader:
        row = reader.clip(clip)
    click.echo(json.dumps(row, indent=1) if form == "json" else describe(row))
