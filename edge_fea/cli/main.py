"""The group of all commands, its global options, and how errors reach people."""

import gc
import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from edge_fea import __version__
from edge_fea.cli.context import Options
from edge_fea.errors import EdgeFeaError

# Where each command is. They are imported when they are used: whoever asks for a few clips over
# SSH on a Pi does not wait for OpenCV.
_COMMANDS = {
    "run": "watch",
    "demo": "watch",
    "analyze": "watch",
    "status": "status",
    "clips": "read",
    "show": "read",
    "summary": "days",
    "dictionary": "inspect",
    "report": "report",
    "export": "export",
    "pack": "pack",
    "unpack": "unpack",
    "key": "keys",
    "audit": "audit",
    "retention": "erase",
    "clinic": "clinic",
    "patient": "patients",
    "baseline": "patients",
    "place": "place",
    "pause": "pause",
    "doctor": "doctor",
    "clock": "clock",
    "backup": "backup",
    "restore": "backup",
    "stick": "stick",
    "config": "inspect",
    "model": "inspect",
    "classify": "inspect",
    "explain": "explain",
}


class _Group(click.Group):
    """Loads commands when they are used, and shows an EdgeFeaError as one line on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        # Nothing that a module makes is garbage: looking for it would take a tenth of the time.
        gc.disable()
        try:
            module = importlib.import_module(f"edge_fea.cli.{_COMMANDS[cmd_name]}")
        finally:
            gc.enable()
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeFeaError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            click.echo(f"edge-fea: {error}", err=True)
            sys.exit(error.exit_code)
        finally:
            # While click looks on, which says nothing of a reader that has gone. What is left to
            # the interpreter's end is complained about there.
            sys.stdout.flush()


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 wrong command line, 64 not clear which is meant, "
    "65 bad input file, 66 not found, 69 no camera, 71 a check failed, "
    "72 network or OpenCV unusable, "
    "73 cannot write, 74 disk full or database damaged, 75 camera stalled or database in use "
    "(try again), 77 not allowed, 78 wrong setting, 130 interrupted.",
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


def main() -> None:
    """The command ``edge-fea``."""
    cli(prog_name="edge-fea")
