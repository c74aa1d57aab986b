"""Commands for USB sticks: stick write (as root, started by udev), stick fill (without rights)."""

import json
import logging
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge_fea.capture.clock import SystemClock
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.packing import PackOrder, pack_into
from edge_fea.device.indicator import LightRequests
from edge_fea.device.lights import USB_BUSY, USB_DONE, USB_FAILED, Sign
from edge_fea.device.stick import UNKNOWN, Stick, examine, mounted, require_space, verify
from edge_fea.errors import (
    EdgeFeaError,
    NotAllowed,
    NotFoundError,
    NothingNew,
    OutputUnwritable,
)
from edge_fea.store.audit import AuditEntry

# A first pack of a year on the slowest Pi; the unit's own limit is above it.
_LONGEST_FILL_S = 1500
# The unit's own limit: with mounting and reading back.
_LONGEST_WRITE_S = 1800.0
_IN_WORDS: dict[int, str] = {signal.SIGKILL: " (too little memory?)"}
_MOUNT_POINT = Path("/run/edge-fea-stick")
_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ALL = click.option(
    "--all", "everything", is_flag=True, help="A pack of everything, whatever it has had before."
)

log = logging.getLogger("edge_fea")


@click.group()
def stick() -> None:
    """Put packs on USB sticks: what the device does by itself when one is plugged in."""


@stick.command()
@click.argument("device", type=click.Path(path_type=Path))
@click.option(
    "--user",
    default="edge-fea",
    show_default=True,
    help="User who reads the database and writes the pack.",
)
@click.option(
    "--mount-point",
    type=click.Path(path_type=Path),
    default=_MOUNT_POINT,
    show_default=True,
    help="Where the stick is mounted meanwhile.",
)
@_ALL
@pass_options
def write(options: Options, device: Path, user: str, mount_point: Path, everything: bool) -> None:
    """Put a pack of everything since its last one on the stick DEVICE, such as /dev/sda1.

    Run as root by edge-fea-usb@.service; only mounting is done with root's rights. The stick must
    carry the label clinic.usb_label. The pack is read back from the stick before the light says
    that it is ready.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    settings = options.settings()
    with _signalled(options):
        account = _account(user)
        with _on_record(options, "stick:unknown"):
            found = examine(device, settings.clinic.usb_label)
        uid, gid = account.pw_uid, account.pw_gid
        with _on_record(options, found.who) as left:
            with mounted(found, mount_point, uid=uid, gid=gid) as place:
                require_space(place, found)
                left |= _fill_as(account, options, place, found, everything=everything)
            if left["name"] is not None:
                # From the stick itself: what was unmounted is in no memory any more.
                with mounted(found, mount_point, uid=uid, gid=gid, read_only=True) as place:
                    verify(place, left["name"], left["size"], left["sha256"])
    if left["name"] is None:
        click.echo(
            f"stick {found.serial}: nothing new since its last pack; all of them are still on it"
        )
    else:
        click.echo(f"stick {found.serial}: {left['name']}, {left['clips']} clips, read back")


@stick.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--serial", required=True, help="The stick's serial number, for the audit trail.")
@click.option(
    "--volume", default=UNKNOWN, show_default=True, help="The number (UUID) of its file system."
)
@_ALL
@pass_options
def fill(options: Options, folder: Path, serial: str, volume: str, everything: bool) -> None:
    """Write a pack of everything since the last one of stick --serial into FOLDER.

    `edge-fea stick write` runs this without root's rights, on the mounted stick. Prints name, size
    and SHA-256 as JSON; the name is null where there is nothing new.
    """
    for option, value in (("--serial", serial), ("--volume", volume)):
        if not _SERIAL.fullmatch(value):
            raise click.BadParameter("letters, digits and ._- only, at most 64", param_hint=option)
    if not folder.is_dir():
        # A file of that name would be made, wherever it is.
        raise OutputUnwritable(f"cannot write into {folder}: it is no folder")
    order = PackOrder(f"stick:{serial}/{volume}", since_last=not everything, still_in=folder)
    told: dict[str, Any] = dict.fromkeys(("name", "size", "sha256", "clips"))
    try:
        done = pack_into(folder, order, options.settings(), options.trail(), SystemClock())
    except NothingNew:
        click.echo(json.dumps(told))
        return
    name = done.path.name if done.path else None
    told |= {"name": name, "size": done.size, "sha256": done.sha256, "clips": done.clips}
    click.echo(json.dumps(told))


def _fill_as(
    account: pwd.struct_passwd, options: Options, place: Path, found: Stick, *, everything: bool
) -> dict[str, Any]:
    """Let a process of ``account`` write the pack; what it tells of it.

    Raises OutputUnwritable where it cannot be started, takes too long or is killed. Exits with its
    code where it ends by itself: it has said why then.
    """
    command = [sys.executable, "-m", "edge_fea"]
    if options.config_file is not None:
        command += ["--config", str(options.config_file)]
    if options.database is not None:
        command += ["--database", str(options.database)]
    command += ["stick", "fill", str(place), "--serial", found.serial, "--volume", found.volume]
    command += ["--all"] if everything else []
    before = _rows_of(options, found.who)
    try:
        done = subprocess.run(
            command,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            umask=0o077,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_LONGEST_FILL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OutputUnwritable(
            f"the stick {found.serial} took more than {_LONGEST_FILL_S} s: use a faster one"
        ) from error
    except OSError as error:
        raise OutputUnwritable(
            f"{account.pw_name} cannot run {sys.executable} ({error.strerror}): give --user the "
            "user of the service, or let that user read the folder of edge-fea"
        ) from error
    if done.returncode < 0:
        raise OutputUnwritable(
            f"what writes the pack was killed by signal {-done.returncode}"
            f"{_IN_WORDS.get(-done.returncode, '')}: plug the stick {found.serial} in again, or "
            "see the system's log (journalctl -b)"
        )
    if done.returncode:
        # It has said why on the same standard error, and left its own row if it got that far.
        if _rows_of(options, found.who) == before:
            _leave_row(options, found.who, "failed", note=f"exit code {done.returncode}")
        sys.exit(done.returncode)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _rows_of(options: Options, who: str) -> int:
    try:
        return sum(row["who"] == who for row in options.trail().rows())
    except NotFoundError:
        return 0


@contextmanager
def _on_record(options: Options, who: str) -> Iterator[dict[str, Any]]:
    """What goes wrong before and after the pack is written leaves its row too.

    The block puts what it has written into the dictionary that it gets. A pack that cannot be read
    back is named by its hash, so that the next one brings its clips again.
    """
    left: dict[str, Any] = {}
    try:
        yield left
    except EdgeFeaError as error:
        outcome = "refused" if isinstance(error, NotAllowed) else "failed"
        _leave_row(options, who, outcome, left.get("sha256"), type(error).__name__)
        raise


def _leave_row(
    options: Options, who: str, outcome: str, sha256: str | None = None, note: str = ""
) -> None:
    entry = AuditEntry(who, "pack", outcome, sha256=sha256, note=note)
    options.trail().append(entry, SystemClock().now())


@contextmanager
def _signalled(options: Options) -> Iterator[None]:
    """The light says that the stick is written to, and then whether it is ready."""
    light = LightRequests(options.settings().indicator.requests, SystemClock())
    sign = USB_FAILED
    try:
        with light.asking(USB_BUSY, _LONGEST_WRITE_S):
            yield
        sign = USB_DONE
    finally:
        # For as long as may be: a nurse has to come back to the device.
        _ask(light, sign)


def _ask(light: LightRequests, sign: Sign) -> None:
    try:
        light.ask(sign)
    except OSError as error:
        # No light is no reason for no pack; whoever looks into the journal learns of it.
        log.warning("the light cannot be asked for %s: %s", sign.name, error)


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise NotFoundError(f"no user {user}: the installer makes one, or give --user") from error
