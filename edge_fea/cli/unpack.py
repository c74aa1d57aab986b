"""The command that opens a pack, on the clinician's computer: unpack."""

from pathlib import Path

import click

from edge_fea.clinic.keys import fingerprint_given, read_identities
from edge_fea.clinic.pack import ENCRYPTED, PLAIN
from edge_fea.clinic.unpack import Unpacked
from edge_fea.clinic.unpack import unpack as open_pack


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--identity",
    type=click.Path(path_type=Path),
    help="Your key file, which `edge-fea key make-recipient` made.",
)
@click.option(
    "--device-key",
    help="The device that it must come from: its fingerprint, or the file with its public key.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The new folder; otherwise one with the pack's name, here.",
)
def unpack(file: Path, identity: Path | None, device_key: str | None, output: Path | None) -> None:
    """Open the pack FILE: decrypt it, check it, and put its files into a new folder.

    Nothing is left in the folder unless all of it is as the device signed it.
    """
    expected = None if device_key is None else fingerprint_given(device_key)
    keys = [] if identity is None else read_identities(identity, _passphrase)
    name = file.name.removesuffix(ENCRYPTED).removesuffix(PLAIN)
    folder = output or Path(name if name != file.name else f"{name}-unpacked")
    click.echo(_found(open_pack(file, folder, identities=keys, device=expected)))


def _passphrase() -> str:
    return str(click.prompt("Passphrase of your key", hide_input=True, err=True))


def _found(done: Unpacked) -> str:
    about = done.manifest
    people = ", ".join(about.patients)
    lines = [
        f"device      {about.device_id}, edge-fea {about.app_version}",
        f"made        {about.made_utc}",
        f"clips       {about.clips} of {people}, {about.from_utc or 'from the first'} to "
        f"{about.to_utc}",
        f"audit row   {about.audit.seq}, {about.audit.head}",
        "unchanged   yes: signature and hashes of all files are good",
    ]
    if done.origin_known:
        lines.append("origin      yes: it comes from the device that you named")
    else:
        lines += [
            "origin      NOT VERIFIED: it may come from anywhere. The key that signed it:",
            f"            {done.fingerprint}",
            "            Compare it with what `edge-fea key show` prints on the device; from then",
            f"            on give --device-key {done.fingerprint}",
        ]
    if not done.encrypted:
        lines.append("secrecy     none: this pack was not encrypted")
    return "\n".join([*lines, f"{len(about.files)} files are in {done.folder}"])
