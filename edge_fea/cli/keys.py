"""Commands about keys: key show on the device, key make-recipient on a clinician's computer."""

from pathlib import Path

import click

from edge_fea.capture.clock import SystemClock
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.keys import device_key, fingerprint, make_identity, public_pem


@click.group()
def key() -> None:
    """Keys: the device's own, and those of the people who read its packs."""


@key.command()
@click.option("--pem", is_flag=True, help="Only the public key, as a file for --device-key.")
@pass_options
def show(options: Options, pem: bool) -> None:
    """Show the device's public key, by which clinicians know its packs.

    The key is made when it is first needed. Note the fingerprint, or take the key to the
    clinicians as a file; it is not secret.
    """
    settings = options.settings()
    public = device_key(settings.clinic.signing_key).public_key()
    if not pem:
        click.echo(f"device       {settings.device.identity()}")
        click.echo(f"fingerprint  {fingerprint(public)}")
    click.echo(public_pem(public), nl=False)


@key.command(name="make-recipient")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The file for your private key. It must not exist yet.",
)
@click.option("--passphrase", is_flag=True, help="Protect the file with a passphrase.")
def make_recipient(output: Path, passphrase: bool) -> None:
    """Make your own key, on your own computer, and print its public half.

    The private half stays in the file: whoever has it can read all packs that are made for you,
    and nobody can without it, so keep a copy in a safe place. The line that is printed is for the
    device's settings, and not secret.
    """
    secret = None
    if passphrase:
        secret = click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=True, err=True, type=str
        )
    public = make_identity(output, SystemClock().now(), secret)
    click.echo(f"your private key is in {output}; the line for clinic.recipients is:", err=True)
    click.echo(public)
