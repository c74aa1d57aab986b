"""The group of all commands, its global options, and how errors reach people."""

import sys
import traceback
from pathlib import Path
from typing import Any

import click

from edge_fea import __version__
from edge_fea.cli import days, inspect, patients, read, watch
from edge_fea.cli.context import Options
from edge_fea.errors import EdgeFeaError


class _Group(click.Group):
    """Shows an EdgeFeaError as one line on stderr, and exits with its code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except EdgeFeaError as error:
            if context.params.get("debug"):
                traceback.print_exc()
            click.echo(f"edge-fea: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 wrong command line, 65 bad input file, 66 not found, "
    "69 no camera, 72 network or OpenCV unusable, 73 cannot write, 74 disk full or database "
    "damaged, 75 camera stalled or database in use (try again), 78 wrong setting.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="EDGE_FEA_CONFIG",
    help="Settings file (TOML). Default: /etc/edge-fea/edge-fea.toml, if there is one.",
)
@click.option(
    "--database",
    type=click.Path(path_type=Path),
    help="Database file, above the settings' store.database.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="edge-fea")
@click.pass_context
def cli(
    context: click.Context, config_file: Path | None, database: Path | None, debug: bool
) -> None:
    """Watch how a patient feels, and keep numbers instead of pictures.

    An observation aid for research and care teams. Not a diagnostic device.
    """
    del debug  # read by _Group
    context.obj = Options(config_file, database)


for command in (
    watch.run,
    watch.demo,
    watch.analyze,
    read.clips,
    read.show,
    days.summary,
    days.dictionary,
    patients.patient,
    patients.baseline,
    inspect.config,
    inspect.model,
    inspect.classify,
):
    cli.add_command(command)


def main() -> None:
    """The command ``edge-fea``."""
    cli(prog_name="edge-fea")
